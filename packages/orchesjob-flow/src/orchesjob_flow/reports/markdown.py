"""A run as a short Markdown text: the summary of a CI job, a comment, a chat.

GitHub accepts a mebibyte, others less. This text has at most 64 KB, no matter how many steps there
are. The least important steps are left out, and the text says how many.
"""

import re
from collections.abc import Iterator, Sequence

from flow_store import StepStatus
from orchesjob_flow.reports.facts import (
    Facts,
    SpanKind,
    StepFacts,
    Tail,
    endings_text,
    headline,
    steps_text,
)
from orchesjob_flow.views.terminal import duration_text, visible

MOST_BYTES = 64_000
FOR_TAILS = 24_000
"""The part of it that the output of failed steps may take."""
LONGEST_TEXT = 300
MOST_TAILS, LINES_OF_TAIL = 5, 20
ACTIVE = re.compile(r"[]\\`*_[<>&|~@#$!]|:(?=\S)|(?<=www)\.", re.IGNORECASE)
TICKS = re.compile(r"`+")
MARKS = {
    StepStatus.SUCCEEDED: "✅",
    StepStatus.FAILED: "❌",
    StepStatus.SKIPPED: "⏭️",
    StepStatus.CANCELLED: "🚫",
    StepStatus.RUNNING: "▶️",
    StepStatus.DELAYED: "⏳",
    StepStatus.PENDING: "⚪",
}
HEAD = "| Step | Status | Attempts | Ran | Why |\n| --- | --- | --- | ---: | --- |\n"


def as_markdown(facts: Facts) -> str:
    """Write what happened, the last output of failed steps, and a table of the steps."""
    run = facts.run
    mark = MARKS[StepStatus(run.status.value)]
    text = f"## {mark} {inert(run.run_key)} {run.status.value}\n\n"
    text += f"Flow {inert(run.flow_id)}. {inert(headline(facts))}\n\n"
    text += f"{inert(facts.flow.about)}\n\n" if facts.flow.about else ""
    text += "".join(last_words(facts))
    rows, left_out = chosen_rows(facts.steps, MOST_BYTES - byte_size(text + HEAD) - LONGEST_TEXT)
    text += HEAD + "".join(rows)
    if left_out:
        shown = f"{steps_text(left_out)} that matter less are left out"
        text += f"\n{len(rows)} of {steps_text(len(facts.steps))}: {shown}.\n"
    return text


def inert(text: str) -> str:
    """Escape Markdown and HTML in a text, and write it on one line; cut a long one.

    >>> print(inert("*a*|<b>: www.c, http://d"))
    &#42;a&#42;&#124;&#60;b&#62;: www&#46;c, http&#58;//d
    """
    shown = visible(text)
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}..."
    return ACTIVE.sub(lambda found: f"&#{ord(found[0])};", shown)


def last_words(facts: Facts) -> Iterator[str]:
    """Yield the last output of the first steps that failed, while there is room."""
    room = FOR_TAILS
    with_tails = [one for one in facts.steps if one.tails]
    for one in with_tails[:MOST_TAILS]:
        for tail in one.tails:
            block = f"The end of {tail.stream} of {inert(one.id)}:\n\n{fenced(tail)}\n"
            room -= byte_size(block)
            if room < 0:
                return
            yield block


def fenced(tail: Tail) -> str:
    """Put lines into a code block with a fence that they do not contain."""
    if tail.is_missing:
        return f"The file {inert(tail.path)} is missing.\n"
    text = "\n".join(tail.text.split("\n")[-LINES_OF_TAIL:])
    fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}\n"


def chosen_rows(steps: Sequence[StepFacts], room: int) -> tuple[list[str], int]:
    """Return the rows of the most important steps, in the order of the file, and count the rest."""
    chosen: dict[int, str] = {}
    for place in sorted(range(len(steps)), key=lambda place: row_priority(steps[place])):
        row = row_of(steps[place])
        room -= byte_size(row)
        if room < 0:
            break
        chosen[place] = row
    return [chosen[place] for place in sorted(chosen)], len(steps) - len(chosen)


def row_priority(one: StepFacts) -> tuple[int, float]:
    """Sort the steps: wrong ones first, then running ones, then those that took longest.

    A settled step counts as one that went wrong.
    """
    place = -1 if one.went_wrong or one.settlement is not None else one.urgency
    return place, -one.took(SpanKind.RAN)


def row_of(one: StepFacts) -> str:
    """Write the row of a step."""
    ran = duration_text(one.took(SpanKind.RAN)) if one.current else ""
    note = " (may)" if one.is_tolerated else " (settled)" if one.settlement is not None else ""
    status = f"{MARKS[one.status]} {one.status.value}{note}"
    cells = (inert(one.id), status, inert(endings_text(one.current)), ran, inert(one.why.sentence))
    return f"| {' | '.join(cells)} |\n"


def byte_size(text: str) -> int:
    """Return how many bytes a text takes."""
    return len(text.encode("utf-8", "backslashreplace"))
