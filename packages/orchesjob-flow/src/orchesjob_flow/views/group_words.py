"""That a run waits for its group, and for whom, in words (rule 10.7). Nothing is read here."""

from flow_store import Run, RunSummary


def waiting_words(run: Run | RunSummary) -> str | None:
    """Say for which group a run waits, and who is before it; None for a run that does not wait."""
    if run.group is None or run.queue is None:
        return None
    return f"waits for group {run.group.name}, {before_words(run)}"


def before_words(run: Run | RunSummary) -> str:
    """Say who is before a run that waits."""
    if run.queue is None or not any(run.queue):
        return "which is free"
    holder, waiting = run.queue
    if holder is not None:
        return f"held by {holder}"
    more = len(waiting) - 1
    return f"behind {waiting[0]}{f' and {more} more' if more else ''}"
