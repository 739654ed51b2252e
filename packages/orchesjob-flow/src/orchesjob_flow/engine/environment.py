"""What a step's process is told of the run, beside what the flow says (rules 9.12 and 9.13)."""

from collections.abc import Iterable, Iterator

from orchesjob_flow.engine.run import OpenAttempt, RunState, RunStep

LONGEST_LIST = 65_536
"""Characters: the system passes no variable of more than 128 KiB, and all of them share a space."""


def environment(run: RunState, step: RunStep, attempt: OpenAttempt) -> dict[str, str]:
    """Return the variables that an attempt's process has beside the runner's own."""
    failed = (run.steps[position].spec.id for position in sorted(run.failed))
    return {
        **dict(run.flow.env),
        **dict(step.spec.env),
        "ORCHESJOB_FLOW_RUN_KEY": run.run_key,
        "ORCHESJOB_FLOW_ID": run.flow.flow_id,
        "ORCHESJOB_FLOW_STEP": step.spec.id,
        "ORCHESJOB_FLOW_ATTEMPT": str(attempt.row.number),
        "ORCHESJOB_FLOW_FAILED_STEPS": " ".join(within(failed, LONGEST_LIST)),
    }


def within(names: Iterable[str], length: int) -> Iterator[str]:
    """Yield the names that fit into a list of so many characters."""
    for name in names:
        length -= len(name) + 1
        if length < 0:
            return
        yield name
