"""A run as a page of HTML: one file that asks for nothing else and runs no script.

Here is what the page says; how it looks is in `templates/`. Every text that is put into the page
passes through `visible`, and then through Jinja's escaping: so nothing that is recorded of a run
can become markup, or change the direction of writing.
"""

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from flow_store import Settlement, StepStatus
from orchesjob_flow.reports.drawing import drawing_of
from orchesjob_flow.reports.facts import Facts, StepFacts
from orchesjob_flow.reports.spans import Kind
from orchesjob_flow.reports.timeline import timeline_of
from orchesjob_flow.reports.words import ending, headline, length
from orchesjob_flow.views.folding import URGENCY
from orchesjob_flow.views.text import visible

MOST_WITH_DETAILS = 400
"""In a run of more steps, only those have details that went wrong or were tried again."""
LONGEST_COMMAND = 1000
CLASSES = {
    "SUCCEEDED": "good",
    "FAILED": "bad",
    "SKIPPED": "skip",
    "CANCELLED": "stop",
    "RUNNING": "run",
    "STARTING": "run",
    "DELAYED": "wait",
    "PENDING": "open",
    "NEVER_RAN": "stop",
}


class Settled(NamedTuple):
    """A step, what a person has decided of it, and whether that still holds."""

    one: StepFacts
    settlement: Settlement
    holds: bool


class Count(NamedTuple):
    """How many steps have a status, and which share of all that is, in percent."""

    status: StepStatus
    number: int
    share: float


def as_html(facts: Facts) -> str:
    """Write a run as a page."""
    numbers = {one.id: place for place, one in enumerate(facts.steps)}
    text: str = (
        environment()
        .get_template("report.html")
        .render(
            facts=facts,
            run=facts.run,
            headline=headline(facts),
            counts=counts_of(facts),
            settlements=settlements_of(facts),
            wrong=[one for one in facts.steps if one.tails or one.went_wrong],
            path=[facts.steps[numbers[name]] for name in facts.path],
            numbers=numbers,
            timeline=timeline_of(facts),
            drawing=drawing_of(facts),
            has_details=has_details(facts),
            env_names=env_names(facts),
            version=version("orchesjob-flow"),
            parts_of_flow=parts_of_flow(facts),
        )
    )
    return text


def environment() -> Environment:
    """Make what turns the template into a page; a name that it does not know is an error."""
    found = Environment(
        loader=PackageLoader("orchesjob_flow.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=harmless,
    )
    found.filters |= {
        "length": length,
        "moment": moment,
        "lines": lines,
        "ticked": ticked,
        "command": command,
        "kind": kind,
        "ending": ending,
    }
    found.globals |= {"Kind": Kind}
    return found


def harmless(value: object) -> object:
    """Make a text that is put into the page harmless; markup is our own."""
    return value if isinstance(value, Markup) else visible(str(value))


def lines(text: str) -> Markup:
    """Put lines into the page as they are, each made harmless by itself."""
    shown = ("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
    return Markup("\n").join(escape(line) for line in shown)


def ticked(text: str) -> Markup:
    """Put a sentence into the page, in which what stands between backticks is code."""
    parts = [escape(harmless(part)) for part in text.split("`")]
    if len(parts) % 2 == 0:
        return Markup("`").join(parts)
    code = Markup("<code>{}</code>").format
    return Markup("").join(code(part) if place % 2 else part for place, part in enumerate(parts))


def kind(status: object) -> str:
    """Return the class of style sheets that a status has."""
    return CLASSES[str(status)]


def moment(timestamp: float | None) -> Markup:
    """Write a moment in local time, and exactly for programs."""
    if timestamp is None:
        return Markup("&ndash;")
    when = datetime.fromtimestamp(timestamp, UTC).astimezone()
    exact, shown = when.isoformat(timespec="milliseconds"), when.strftime("%Y-%m-%d %H:%M:%S")
    return Markup('<time datetime="{}">{}</time>').format(exact, shown)


def command(words: Sequence[str]) -> str:
    """Write a command as one would type it; a very long one is cut."""
    text = shlex.join(words)
    return text if len(text) <= LONGEST_COMMAND else f"{text[:LONGEST_COMMAND]}..."


def counts_of(facts: Facts) -> Sequence[Count]:
    """Count the steps by status, the most urgent first."""
    counts = ((StepStatus(name), facts.count(StepStatus(name))) for name in URGENCY)
    total = len(facts.steps) or 1
    return [Count(status, number, 100 * number / total) for status, number in counts if number]


def settlements_of(facts: Facts) -> Sequence[Settled]:
    """List what people have decided of steps, the first one first (rule 12.3)."""
    by_position = {one.step.position: one for one in facts.steps}
    return [
        Settled(one := by_position[settlement.position], settlement, one.settlement is settlement)
        for settlement in facts.run.settlements
    ]


def has_details(facts: Facts) -> set[str]:
    """Name the steps that the page shows in detail: all, or those that matter."""
    if len(facts.steps) <= MOST_WITH_DETAILS:
        return {one.id for one in facts.steps}
    some = [one for one in facts.steps if one.went_wrong or one.is_flaky or one.is_critical]
    return {one.id for one in some[:MOST_WITH_DETAILS]}


def env_names(facts: Facts) -> Sequence[str]:
    """Name the variables that the flow sets; their values may be secrets, and are not told."""
    return [name for name, _ in facts.flow.env]


def parts_of_flow(facts: Facts) -> Sequence[tuple[str, Any]]:
    """List what is said of the whole flow, and where it ran."""
    run, flow = facts.run, facts.flow
    told = {
        "Directory": run.directory,
        "Folder of the flow file": run.flow_dir,
        "Home of its jobs": run.orchesjob_home,
        "max_parallel": flow.max_parallel,
        "timeout_sec": flow.timeout_sec,
        "working_dir": flow.working_dir,
        "concurrency": flow.group,
        "Started by": None if run.parent is None else " / ".join(map(str, run.parent)),
    }
    return [(name, value) for name, value in told.items() if value is not None]
