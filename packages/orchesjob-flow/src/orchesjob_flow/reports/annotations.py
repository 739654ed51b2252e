"""Annotations of GitHub Actions: lines in the log of a job that GitHub shows beside its summary."""

from collections.abc import Iterator

from orchesjob_flow.reports.facts import Facts
from orchesjob_flow.views.terminal import visible_with_tabs

MOST_ANNOTATIONS = 10
"""GitHub shows so many of each kind for a step of a job."""
IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
IN_PROPERTY = IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def annotation(level: str, message: str, **properties: object) -> str:
    """Write an annotation of the level `error` or `warning`; no text in it can begin another."""
    shown = ",".join(
        f"{name}={visible_with_tabs(str(value)).translate(IN_PROPERTY)}"
        for name, value in properties.items()
        if value is not None
    )
    lines = "\n".join(map(visible_with_tabs, message.split("\n")))
    return f"::{level} {shown}::{lines.translate(IN_MESSAGE)}\n"


def as_annotations(facts: Facts) -> str:
    """Annotate the first steps that failed, with their last output; an allowed one as a warning."""
    return "".join(list(_annotations(facts))[:MOST_ANNOTATIONS])


def _annotations(facts: Facts) -> Iterator[str]:
    for one in sorted(facts.steps, key=lambda one: not one.went_wrong):
        if one.went_wrong or one.is_tolerated:
            level = "error" if one.went_wrong else "warning"
            parts = [one.step.error or one.status.value, *(tail.text for tail in one.tails)]
            title = f"{one.id} {one.status.value} in run {facts.run.run_key}"
            yield annotation(level, "\n".join(parts), title=title)
