"""The key of an attempt, under which orchesjob knows its job. No other module spells it.

A run key names a whole run; it is checked in `home.paths`.
"""


def attempt_key(run_key: str, step_id: str, number: int) -> str:
    """Return the key of an attempt, such as `daily:import:1` (rule 4.2)."""
    return f"{run_key}:{step_id}:{number}"
