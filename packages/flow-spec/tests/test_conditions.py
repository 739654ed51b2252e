"""Section 3 as far as a flow file goes: outcomes, foreign words, waits and cycles."""

from collections.abc import Callable

import pytest

from flow_spec import FlowSpec, UnknownStepError

type Complaints = Callable[..., list[str]]
type Steps = Callable[..., FlowSpec]

A, B, C = (f"{{id: {name}, command: [x]}}" for name in "ABC")


def test_a_step_may_be_called_like_a_foreign_word(steps: Steps) -> None:
    """Only an unknown step is questioned: `always` may be one (rule 3.3)."""
    flow = steps(
        "{id: always, command: [x]}",
        "{id: S, command: [x], when: always || !and}",
        "{id: and, command: [x]}",
    )
    assert flow.step("S").waits_for == ("always", "and")


SUGGESTIONS = [
    ("dwonload", "download"),
    ("Download", "download"),
    ("load_data", "load-data"),
]


@pytest.mark.parametrize(("name", "meant"), SUGGESTIONS)
@pytest.mark.parametrize("field", ["when: {}.failed", "depends_on: [{}]"])
def test_an_unknown_step_names_the_one_that_was_meant(
    complaints: Complaints, name: str, meant: str, field: str
) -> None:
    """An unknown id is an error with a did-you-mean (rule 2.6)."""
    known = "{id: download, command: [x]}, {id: load-data, command: [x]}"
    step = f"{{id: S, command: [x], {field.format(name)}}}"
    (line,) = complaints(f"flow_id: f\nsteps: [{known}, {step}]")
    assert line.endswith(f': unknown step "{name}"; did you mean "{meant}"?')


def test_a_step_that_failed_validation_is_still_known(complaints: Complaints) -> None:
    """A reference to a step with a mistake is no second mistake (rule 2.7)."""
    lines = complaints("flow_id: f\nsteps: [{id: a b}, {id: S, command: [x], depends_on: [a b]}]")
    assert len(lines) == 2


WAITS = [
    ("{id: S, command: [x]}", None, ()),
    ("{id: S, command: [x], depends_on: [A, B]}", "A && B", ("A", "B")),
    ("{id: S, command: [x], when: !A || B.failed || A}", "!A || B.failed || A", ("A", "B")),
    ("{id: S, command: [x], when: C, depends_on: [B, C, A]}", "C", ("B", "C", "A")),
]


@pytest.mark.parametrize(("mapping", "condition", "waits_for"), WAITS)
def test_what_a_step_waits_for_and_asks(
    steps: Steps, mapping: str, condition: str | None, waits_for: tuple[str, ...]
) -> None:
    """With `when`, `depends_on` only adds waits; without, it is a success chain (rules 3.4-3.6)."""
    step = steps(A, B, C, mapping).step("S")
    assert (None if step.condition is None else str(step.condition)) == condition
    assert step.waits_for == waits_for
    assert step.condition is step.condition


CYCLES = [
    (["A: when: A"], "A -> A"),
    (["A: depends_on: [C]", "B: when: !A", "C: when: B.failed"], "A -> C -> B -> A"),
    (["S: when: B", "A: when: B", "B: when: A"], "A -> B -> A"),
    (["S:", "B: when: A", "A: depends_on: [S], when: B"], "B -> A -> B"),
    (["Z: when: Y", "Y: when: X", "X: when: Y"], "Y -> X -> Y"),
]


@pytest.mark.parametrize(("lines", "cycle"), CYCLES)
def test_a_cycle_is_told_from_its_first_step_along_its_dependencies(
    complaints: Complaints, lines: list[str], cycle: str
) -> None:
    """The message begins with the first step of the file that lies on the cycle (rule 3.6)."""
    parts = (line.split(":", 1) for line in lines)
    mappings = [f"{{id: {name}, command: [x],{rest}}}" for name, rest in parts]
    (line,) = complaints("\n".join(["flow_id: f", "steps:", *(f"- {m}" for m in mappings)]))
    index = [line.split(":")[0] for line in lines].index(cycle.split(" ", maxsplit=1)[0])
    first = cycle.split(maxsplit=1)[0]
    fact = f"dependency cycle detected: {cycle}; remove "
    if cycle.count(first) == cycle.count("-") + 1:
        fact = f"step {first} waits for itself; remove {first} from depends_on: or when: of {first}"
    assert line.startswith(f"f:{index + 3}:")
    assert line.split(": ", 1)[1].startswith(f"steps[{index}]: {fact}")


def test_a_cycle_is_looked_for_only_in_an_otherwise_valid_flow(complaints: Complaints) -> None:
    """Other mistakes could make up a cycle that is not there (rule 3.6)."""
    text = "flow_id: f\nsteps: [{id: A, command: [x], when: B}, {id: B, command: [], when: A}]"
    (line,) = complaints(text)
    assert "cycle" not in line


def test_a_cycle_of_thousands_of_steps_is_found(complaints: Complaints) -> None:
    """The search does not recurse (rule 3.6)."""
    size = 5000
    steps = [
        f'{{"id": "s{i}", "command": ["x"], "when": "s{(i + 1) % size}"}}' for i in range(size)
    ]
    (line,) = complaints(f'{{"flow_id": "f", "steps": [{", ".join(steps)}]}}', "json")
    assert line.startswith("f:1:35: steps[0]: dependency cycle detected: s0 -> s1 -> s2 -> ")
    assert " -> s4999 -> s0; remove s1 from depends_on: or when: of s0" in line


def test_a_step_is_found_by_its_id(steps: Steps) -> None:
    flow = steps("{id: download, command: [x]}")
    assert flow.step("download") is flow.steps[0]
    with pytest.raises(UnknownStepError) as caught:
        flow.step("Download")
    assert str(caught.value) == 'flow "demo" has no step "Download"; did you mean "download"?'
    assert caught.value.details == {"help": 'did you mean "download"?'}
    assert isinstance(caught.value, LookupError)
    with pytest.raises(UnknownStepError, match=r"the steps are download$") as caught:
        flow.step("zzz")
    assert caught.value.details == {"help": "the steps are download"}
    many = steps(*(f"{{id: s{number}, command: [x]}}" for number in range(7)))
    with pytest.raises(UnknownStepError, match=r'^flow "demo" has no step "zzz"$') as caught:
        many.step("zzz")
    assert caught.value.details == {}
