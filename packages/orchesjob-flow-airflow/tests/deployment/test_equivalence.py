"""Generated flows on a real scheduler with LocalExecutor, in both modes (rules 13.1 and 13.5).

`two_workers.py` has the same on CeleryExecutor, `flow_as_dag/test_equivalence.py` ten times as many
without a scheduler.
"""

from collections.abc import Iterator

import pytest

from support.generated_flows import generated_flows

from .deployment import Deployment
from .generated import DEPLOYED, GeneratedRuns


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GeneratedRuns]:
    """An Airflow with the flows."""
    deployment = Deployment(tmp_path_factory.mktemp("deployment") / "airflow")
    runs = GeneratedRuns(deployment, generated_flows(DEPLOYED))
    try:
        deployment.start(*runs.dag_ids)
        yield runs
    finally:
        deployment.close()


def test_steps_as_tasks(runs: GeneratedRuns) -> None:
    """Flows at once end as the model and the local runner say, and no attempt is made twice."""
    runs.check_steps_as_tasks()


def test_whole_flows(runs: GeneratedRuns) -> None:
    """A flow that is one task ends as the model says, and no attempt is made twice."""
    runs.check_whole_flows()
