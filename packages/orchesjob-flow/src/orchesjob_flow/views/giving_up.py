"""That a runner gave up on a run, when and why, in words (rule 5.7). Nothing is read here."""

from flow_store import GivenUp, Run, RunSummary
from orchesjob_flow.home.locks import Holder
from orchesjob_flow.views.text import clock_time


def when_and_why(given_up: GivenUp, runner: Holder | None) -> str:
    """Say when a runner gave up and why, and who tries again."""
    again = "" if runner is None else f"; {runner} tries again"
    return f"{clock_time(given_up.at)}, {given_up.error}{again}"


def describe_given_up(run: Run | RunSummary, runner: Holder | None) -> str | None:
    """Say that a runner gave up on this run, and what continues it; None if none did."""
    if run.gave_up is None:
        return None
    remedy = "" if runner else "; once the cause is fixed, `orchesjob-flow resume` continues it"
    return f"a runner gave up on run {run.run_key!r}: {when_and_why(run.gave_up, runner)}{remedy}"
