"""What CI systems read of a run: JUnit's XML, and annotations of GitHub Actions.

In the XML, each step of the run is a test case.
`add_suite`, `add_case` and `xml_of` write it for other test cases too, such as those of `test`. The
file fits the schema that Jenkins publishes; GitLab and GitHub read it as well. A step that was
retried holds its earlier attempts: `flakyFailure` where it SUCCEEDED in the end, `rerunFailure`
where it did not. A settled step counts by its settlement, and its output says who settled it and
why.
"""

import time
from collections.abc import Iterator
from xml.etree import ElementTree

from flow_store import AttemptStatus, StepStatus
from orchesjob_flow.reports.facts import Facts, SpanKind, StepFacts, ending_text, headline
from orchesjob_flow.views.terminal import visible, visible_with_tabs

COUNTED_RESULTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
"""The elements in test cases whose numbers a suite has, by its attributes."""
NOT_IN_XML = str.maketrans({"\ufffe": "\\ufffe", "\uffff": "\\uffff"})
MOST_ANNOTATIONS = 10
"""GitHub shows so many of each kind for a step of a job, beside the summary of the job."""
IN_MESSAGE = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
IN_PROPERTY = IN_MESSAGE | str.maketrans({":": "%3A", ",": "%2C"})


def as_junit(facts: Facts) -> str:
    """Write a run as a suite of test cases."""
    run = facts.run
    root = ElementTree.Element("testsuites")
    suite = add_suite(root, run.flow_id, run.started_at, facts.took_sec)
    properties = ElementTree.SubElement(suite, "properties")
    values = {"run_key": run.run_key, "status": run.status.value, **(run.params or {})}
    if facts.flow.about:
        values = {"description": facts.flow.about, **values}
    for name, value in values.items():
        ElementTree.SubElement(properties, "property", name=legal(name), value=legal(value))
    for one in facts.steps:
        add_step(suite, run.flow_id, one)
    add_text(suite, "system-out", headline(facts))
    return xml_of(root)


def add_suite(
    root: ElementTree.Element, name: str, began_at: float, took_sec: float
) -> ElementTree.Element:
    """Add a suite of test cases; `xml_of` counts them."""
    return ElementTree.SubElement(
        root,
        "testsuite",
        name=legal(name),
        time=f"{took_sec:.3f}",
        timestamp=time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(began_at)),
    )


def add_case(
    suite: ElementTree.Element, name: str, classname: str, took_sec: float
) -> ElementTree.Element:
    """Add a test case to a suite."""
    return ElementTree.SubElement(
        suite, "testcase", name=legal(name), classname=legal(classname), time=f"{took_sec:.3f}"
    )


def xml_of(root: ElementTree.Element) -> str:
    """Return the text of a file, in which each suite has the numbers of its cases."""
    for suite in root:
        suite.set("tests", str(len(suite.findall("testcase"))))
        for attribute, tag in COUNTED_RESULTS.items():
            suite.set(attribute, str(len(suite.findall(f"testcase/{tag}"))))
    ElementTree.indent(root)
    declaration = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return f"{declaration}{ElementTree.tostring(root, encoding='unicode')}\n"


def add_step(suite: ElementTree.Element, flow_id: str, one: StepFacts) -> None:
    """Add a step."""
    case = add_case(suite, one.id, flow_id, one.took(SpanKind.RAN))
    if one.went_wrong:
        _add_problem(case, "failure" if one.status is StepStatus.FAILED else "error", one)
    elif one.is_tolerated:
        message = f"failed (allowed): {one.step.error}"
        ElementTree.SubElement(case, "skipped", type="allowed failure", message=legal(message))
    elif one.status is not StepStatus.SUCCEEDED:
        kind = one.status.value if one.settlement is None else "settled"
        ElementTree.SubElement(case, "skipped", type=kind, message=legal(one.why.sentence))
    if one.settlement is not None:
        add_text(case, "system-out", one.why.sentence)
        return
    word = "flakyFailure" if one.is_flaky else "rerunFailure"
    for attempt in one.current[:-1]:
        if attempt.status is AttemptStatus.FAILED:
            error = legal(f"attempt {attempt.number}: {attempt.error}")
            again = ElementTree.SubElement(
                case, word, type=legal(ending_text(attempt)), message=error
            )
            again.text = error
    if not one.went_wrong:
        for tail in one.tails:
            add_text(case, "system-out" if tail.stream == "stdout" else "system-err", tail.text)


def _add_problem(case: ElementTree.Element, word: str, one: StepFacts) -> None:
    message = legal(one.step.error or one.status.value)
    kind = ending_text(one.current[-1]) if one.current else one.status.value
    problem = ElementTree.SubElement(case, word, type=legal(kind), message=message)
    problem.text = "\n".join([message, *_last_lines(one)])


def _last_lines(one: StepFacts) -> Iterator[str]:
    for tail in one.tails:
        yield ""
        yield f"The end of {tail.stream}, {legal(tail.path)}:"
        yield "(the file is missing)" if tail.is_missing else _legal_text(tail.text)


def add_text(parent: ElementTree.Element, word: str, text: str) -> None:
    """Add an element that holds a text."""
    ElementTree.SubElement(parent, word).text = _legal_text(text)


def legal(text: str) -> str:
    """Escape the characters of a line that are unsafe or illegal in XML."""
    return visible(text).translate(NOT_IN_XML)


def _legal_text(text: str) -> str:
    return "\n".join(map(legal, text.replace("\t", "    ").split("\n")))


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
