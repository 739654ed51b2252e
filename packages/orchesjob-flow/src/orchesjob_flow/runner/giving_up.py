"""Recording that a runner gives up, so that it is seen where nobody reads its messages (rule 5.7).

Who holds the run's lock calls this. What is shown of it is in `views`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from flow_store import FlowStore, GivenUp, RunTakenOver, StoreError, TerminalStatus
from orchesjob_client import OrchesjobError
from orchesjob_flow.errors import FlowError, GaveUp


@contextmanager
def giving_up_recorded(
    store: FlowStore,
    run_key: str,
    *,
    revision: Callable[[], int],
    wall: Callable[[], float],
    warn: Callable[[str], None],
) -> Iterator[None]:
    """Record with the run why its runner ends, if an error ends it.

    A signal is no error. Where it cannot be recorded, because the database itself is what fails,
    `warn` is told. A runner that was overtaken records nothing.
    """
    try:
        yield
    except Exception as error:  # raised again: whatever ends the runner is to be seen later
        given_up = GivenUp(wall(), cause_of(error))
        try:
            store.record_giving_up(run_key, given_up, revision=revision())
        except (RunTakenOver, TerminalStatus):
            pass
        except StoreError as failure:
            warn(f"could not record with run {run_key!r} that its runner gave up: {failure}")
        raise


def cause_of(error: Exception) -> str:
    """Return why a runner ends, without what is known of the run anyway."""
    if isinstance(error, GaveUp):
        return error.cause
    is_expected = isinstance(error, FlowError | StoreError | OrchesjobError | OSError)
    return str(error) if is_expected else f"internal error: {error!r}"
