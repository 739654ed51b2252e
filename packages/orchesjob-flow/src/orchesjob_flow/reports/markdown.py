"""A run as a short Markdown text: the summary of a CI job, a comment, a chat.

GitHub takes a mebibyte, others less: here it is 64 KB at most, however many steps there are. What
matters least is left out, and the text says how much that is.
"""

import re
from collections.abc import Iterator, Sequence

from flow_store import StepStatus
from orchesjob_flow.reports.facts import (
    Facts,
    SpanKind,
    StepFacts,
    Tail,
    endings,
    headline,
    steps_text,
)
from orchesjob_flow.views.reasons import urgency
from orchesjob_flow.views.terminal import duration_in_units, visible

MOST_BYTES = 64_000
FOR_TAILS = 24_000
"""So much of it may be the last words of what failed."""
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
    """Write what happened, the last words of what failed, and a table of the steps."""
    run = facts.run
    mark = MARKS[StepStatus(run.status.value)]
    text = f"## {mark} {inert(run.run_key)} {run.status.value}\n\n"
    text += f"Flow {inert(run.flow_id)}. {inert(headline(facts))}\n\n"
    text += "".join(last_words(facts))
    rows, left_out = chosen_rows(facts.steps, MOST_BYTES - size(text + HEAD) - LONGEST_TEXT)
    text += HEAD + "".join(rows)
    if left_out:
        shown = f"{steps_text(left_out)} that matter less are left out"
        text += f"\n{len(rows)} of {steps_text(len(facts.steps))}: {shown}.\n"
    return text


def inert(text: str) -> str:
    """Write a text so that nothing in it is Markdown or HTML, on one line and not too long.

    >>> print(inert("*a*|<b>: www.c, http://d"))
    &#42;a&#42;&#124;&#60;b&#62;: www&#46;c, http&#58;//d
    """
    shown = visible(text)
    if len(shown) > LONGEST_TEXT:
        shown = f"{shown[:LONGEST_TEXT]}..."
    return ACTIVE.sub(lambda found: f"&#{ord(found[0])};", shown)


def last_words(facts: Facts) -> Iterator[str]:
    """Yield the last lines of the first steps that failed, as far as there is room."""
    room = FOR_TAILS
    with_tails = [one for one in facts.steps if one.tails]
    for one in with_tails[:MOST_TAILS]:
        for tail in one.tails:
            block = f"The end of {tail.stream} of {inert(one.id)}:\n\n{fenced(tail)}\n"
            room -= size(block)
            if room < 0:
                return
            yield block


def fenced(tail: Tail) -> str:
    """Put lines into a block that nothing in them can end."""
    if tail.is_missing:
        return f"The file {inert(tail.path)} is missing.\n"
    text = "\n".join(tail.text.split("\n")[-LINES_OF_TAIL:])
    fence = "`" * max(3, 1 + max(map(len, TICKS.findall(text)), default=0))
    return f"{fence}text\n{text}\n{fence}\n"


def chosen_rows(those: Sequence[StepFacts], room: int) -> tuple[list[str], int]:
    """Return the rows of the steps that matter most, in the order of the file, and the rest."""
    order = sorted(range(len(those)), key=lambda place: row_priority(those[place]))
    chosen: dict[int, str] = {}
    for place in order:
        row = row_of(those[place])
        room -= size(row)
        if room < 0:
            break
        chosen[place] = row
    return [chosen[place] for place in sorted(chosen)], len(those) - len(chosen)


def row_priority(one: StepFacts) -> tuple[int, float]:
    """Order the steps: what went wrong first, then what is under way, then what took longest.

    What a person has settled had gone wrong too.
    """
    place = -1 if one.went_wrong or one.settlement is not None else urgency(one.status)
    return place, -one.took(SpanKind.RAN)


def row_of(one: StepFacts) -> str:
    """Write the row of a step."""
    ran = duration_in_units(one.took(SpanKind.RAN)) if one.current else ""
    note = " (may)" if one.is_tolerated else " (settled)" if one.settlement is not None else ""
    status = f"{MARKS[one.status]} {one.status.value}{note}"
    cells = (inert(one.id), status, inert(endings(one.current)), ran, inert(one.why.sentence))
    return f"| {' | '.join(cells)} |\n"


def size(text: str) -> int:
    """Return how many bytes a text takes."""
    return len(text.encode("utf-8", "backslashreplace"))
