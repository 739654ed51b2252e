"""What happened, in words: the sentence that begins every report. Plain text, made harmless."""

from collections.abc import Sequence

from flow_store import FlowStatus, StepStatus
from orchesjob_flow.reports.facts import AttemptFacts, Facts, StepFacts
from orchesjob_flow.views.reasons import listed, waiting_words
from orchesjob_flow.views.terminal import visible

MINUTE, HOUR, DAY = 60, 3600, 86400


def length(seconds: float) -> str:
    """Write how long something took, as exactly as people want to know it.

    >>> [length(sec) for sec in (0.0004, 0.25, 9.96, 75.4, 3600, 200_000)]
    ['0 ms', '250 ms', '10.0 s', '1 min 15 s', '1 h', '2 d 7 h']
    """
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < MINUTE - 0.05:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for unit, name, lower, lower_name in (
        (DAY, "d", HOUR, "h"),
        (HOUR, "h", MINUTE, "min"),
        (MINUTE, "min", 1, "s"),
    ):
        if whole >= unit:
            rest = whole % unit // lower
            return f"{whole // unit} {name}" + (f" {rest} {lower_name}" if rest else "")
    return f"{whole} s"


def headline(facts: Facts) -> str:
    """Say in one sentence what happened, or what the run does."""
    run, took = facts.run, length(facts.took_sec)
    match run.status:
        case FlowStatus.SUCCEEDED:
            return f"{how_it_went(facts, took)}."
        case FlowStatus.FAILED:
            return f"It failed after {took}{what_failed(facts)}."
        case FlowStatus.CANCELLED:
            return f"It was cancelled after {took}{while_running(facts)}."
        case FlowStatus.RUNNING:
            return f"It has run for {took}: {under_way(facts)}."
        case _:
            return f"It has not begun: it {visible(waiting_words(run) or 'waits for its runner')}."


def how_it_went(facts: Facts, took: str) -> str:
    """Say how the steps of a run ended that SUCCEEDED."""
    total, good = len(facts.steps), facts.count(StepStatus.SUCCEEDED)
    skipped, failed = facts.count(StepStatus.SKIPPED), facts.count(StepStatus.FAILED)
    flaky = sum(one.is_flaky for one in facts.steps)
    settled = len(facts.run.settled)
    which = f"All {total} steps" if good == total else f"{good} of {steps(total)}"
    which = "Its step" if good == total == 1 else which
    parts = [
        f"{skipped} {were(skipped)} skipped" if skipped else "",
        f"{failed} failed and may" if failed else "",
        f"{flaky} succeeded only at a retry" if flaky else "",
        f"{settled} {were(settled)} settled by hand" if settled else "",
    ]
    rest = ", ".join(filter(None, parts))
    return f"{which} succeeded in {took}{f'; {rest}' if rest else ''}"


def what_failed(facts: Facts) -> str:
    """Name the steps that went wrong, the first with its error; say what did not run therefore."""
    wrong = [one for one in facts.steps if one.went_wrong]
    failed = any(one.status is StepStatus.FAILED for one in wrong)
    if not failed:
        where = f": {visible(facts.run.error or 'no step tells why')}"
    elif len(wrong) == 1:
        where = f", at step {named(wrong[0])}"
    else:
        others = listed([one.id for one in wrong[1:]])
        where = f", at {steps(len(wrong))}: {named(wrong[0])}, {others}"
    skipped = facts.count(StepStatus.SKIPPED)
    return where + (f"; {steps(skipped)} {were(skipped)} skipped" if skipped else "")


def named(one: StepFacts) -> str:
    """Name a step that went wrong; say how, and at which attempt if it had several."""
    error = visible(one.step.error or one.status.value)
    attempt = f", attempt {one.step.attempt_no}" if one.current[1:] else ""
    return f"{one.id} ({error}{attempt})"


def while_running(facts: Facts) -> str:
    """Say which steps were ended by a cancel."""
    ended = [one.id for one in facts.steps if one.went_wrong]
    if not ended:
        return ""
    return f", while {listed(ended)} {'was' if len(ended) == 1 else 'were'} running"


def under_way(facts: Facts) -> str:
    """Say what runs, and how much is done."""
    running = [one.id for one in facts.steps if one.status is StepStatus.RUNNING]
    done = sum(one.status.is_terminal for one in facts.steps)
    now = f"{listed(running)} {'is' if len(running) == 1 else 'are'} running" if running else ""
    return ", ".join(filter(None, [now, f"{done} of {steps(len(facts.steps))} done"]))


def steps(number: int) -> str:
    """Count steps."""
    return f"{number} step" if number == 1 else f"{number} steps"


def were(number: int) -> str:
    """Return the verb for so many."""
    return "was" if number == 1 else "were"


def ending(attempt: AttemptFacts) -> str:
    """Say how an attempt ended, in few words."""
    code = attempt.exit_code
    if code is None:
        return attempt.status.value
    return f"exit code {code}" if code >= 0 else f"signal {-code}"


def endings(attempts: Sequence[AttemptFacts]) -> str:
    """Say how attempts ended, one after the other, with their numbers if there are several."""
    if len(attempts) == 1 and attempts[0].number == 1:
        return ending(attempts[0])
    return ", ".join(f"{one.number}: {ending(one)}" for one in attempts)
