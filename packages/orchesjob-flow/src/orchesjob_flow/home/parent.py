"""Runs that a step of another run has started: whose they are, and whether it is over (5.8a).

A run says that by its record, a process by its environment. What becomes of such runs is decided by
the commands.
"""

from collections.abc import Mapping

from flow_store import FlowStore, Parent, Run
from orchesjob_flow.attempt_key import attempt_key


def named_parent(environ: Mapping[str, str]) -> Parent | None:
    """Return the attempt that an environment names, as each step's does (rule 9.13)."""
    run_key, step_id, number = (
        environ.get(f"ORCHESJOB_FLOW_{name}", "") for name in ("RUN_KEY", "STEP", "ATTEMPT")
    )
    is_number = number.isascii() and number.isdecimal() and len(number) < len(str(2**63))
    return Parent(run_key, step_id, int(number)) if run_key and step_id and is_number else None


def parent_of_new_run(store: FlowStore, environ: Mapping[str, str]) -> Parent | None:
    """Return the attempt of this database inside which this process runs, if there is one.

    Variables may be set by anybody and outlive their step. So the attempt must be recorded, and its
    mark must be in the environment.
    """
    from orchesjob_client import is_marked, orchesjob_home

    parent = named_parent(environ)
    if parent is None or (run := store.load(parent.run_key)) is None:
        return None
    home = run.orchesjob_home or orchesjob_home(environ)
    key = attempt_key(parent.run_key, parent.step_id, parent.attempt_no)
    recorded = {(run.steps[past.position].step_id, past.number) for past in run.history}
    if (parent.step_id, parent.attempt_no) not in recorded or not is_marked(environ, home, key):
        return None
    return parent


def environ_inside(run: Run, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return an environment that is marked only if it is that of the step that started the run.

    Whoever else goes on with the run from within a step does not make it a part of that step.
    """
    named = named_parent(environ)
    if run.parent is not None and named is not None and run.parent[:2] == named[:2]:
        return environ
    from orchesjob_client import unmarked

    return unmarked(environ)


def is_over(store: FlowStore, parent: Parent, boot: str) -> bool:
    """Tell whether the attempt that started a run is over, as far as that is recorded.

    `boot` is the id of this boot: what ran in an earlier one is over, recorded or not.
    """
    run = store.load(parent.run_key)
    if run is None or run.status.is_terminal:
        return True
    positions = {step.step_id: step.position for step in run.steps}
    attempt = run.attempts.get(positions.get(parent.step_id, -1))
    if attempt is None or attempt.number != parent.attempt_no:
        return True
    return not attempt.status.is_open or attempt.boot_id != boot
