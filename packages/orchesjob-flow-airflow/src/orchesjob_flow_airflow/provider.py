"""The description of this package that `airflow providers list` and Airflow's web page show."""


def get_provider_info() -> dict[str, str]:
    """Return the name of the package and what it does."""
    return {
        "package-name": "orchesjob-flow-airflow",
        "name": "orchesjob-flow",
        "description": "Flow files of orchesjob-flow: a flow as a DAG, a task group or one task.",
    }
