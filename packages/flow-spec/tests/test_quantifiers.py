"""Conditions over all of a step's `depends_on`: `any(failed)` and its kin (rule 3.7)."""

from collections.abc import Callable

import pytest

from flow_spec import FlowSpec, StepSpec, differences
from flow_spec.fields.predicates import PREDICATES

type Complaints = Callable[..., list[str]]
type Steps = Callable[..., FlowSpec]

A, B, C = (f"{{id: {name}, command: [x]}}" for name in "ABC")

WRITTEN_OUT = [
    ("any({p})", "A.{p} || B.{p}"),
    ("all({p})", "A.{p} && B.{p}"),
    ("none({p})", "!(A.{p} || B.{p})"),
    ("C||( any ( {p}\t) && !all({p}))", "C || ((A.{p} || B.{p}) && !(A.{p} && B.{p}))"),
]


@pytest.mark.parametrize("predicate", PREDICATES)
@pytest.mark.parametrize(("when", "meaning"), WRITTEN_OUT)
def test_a_call_is_what_it_stands_for(
    steps: Steps, when: str, meaning: str, predicate: str
) -> None:
    """`any`, `all` and `none` are the `||`, the `&&` and the negated `||` (rule 3.7)."""
    depends_on = "depends_on: [A, B]"
    short, written = (
        steps(A, B, C, f'{{id: S, command: [x], when: "{text}", {depends_on}}}').step("S")
        for text in (when.format(p=predicate), meaning.format(p=predicate))
    )
    assert short.condition == written.condition
    assert short.waits_for == written.waits_for


WRONG = [
    ("any(error)", "there is no 'any(error)'; write 'any(failed)'", "^^^^^^^^^^"),
    ("every(success)", "write 'all(succeeded)'", "^^^^^^^^^^^^^^"),
    ("any(failed) && none(always)", "write 'none(finished)'", "               ^^^^^^^^^^^^"),
    (
        "any(failed) && failure()",
        "write when: any(failed), and depends_on:",
        "               ^^^^^^^^^",
    ),
    ("not any(failed)", "got 'any(failed)'; for 'not' write '!'", "^^^"),
    ("any(failed", "the call of 'any' is never closed", "^^^^"),
    ("exists(A)", "a condition cannot ask for values; write only_if:", "^^^^^^^^^"),
]


@pytest.mark.parametrize(("when", "sentence", "carets"), WRONG)
def test_a_wrong_call_is_answered_with_the_right_one(
    complaints: Complaints, when: str, sentence: str, carets: str
) -> None:
    """Each mistake is shown where it stands, with what to write instead (rules 2.7 and 3.7)."""
    step = f"{{id: S, command: [x], when: '{when}', depends_on: [A]}}"
    message, shown, under = complaints(f"flow_id: f\nsteps: [{A}, {step}]")
    assert message.startswith("f:2:")
    assert sentence in message
    assert shown == f"    {when}"
    assert under == f"    {carets}"


@pytest.mark.parametrize("depends_on", ["", ", depends_on: []"])
def test_a_call_without_depends_on_is_refused(complaints: Complaints, depends_on: str) -> None:
    """There is nothing that it could ask (rule 3.7)."""
    step = f"{{id: S, command: [x], when: A && any(failed){depends_on}}}"
    message, shown, under = complaints(f"flow_id: f\nsteps: [{A}, {step}]")
    fact = "'any(failed)' asks about the steps in depends_on, and there are none"
    assert message.endswith(f"{fact}; add depends_on: with the steps to ask")
    assert (shown, under) == ("    A && any(failed)", "         ^^^^^^^^^^^")


def test_an_unknown_step_is_reported_once(complaints: Complaints) -> None:
    """A call does not report the mistakes of `depends_on` again (rule 2.7)."""
    step = "{id: S, command: [x], when: all(skipped) && N, depends_on: [A, M, a b, 1]}"
    lines = complaints(f"flow_id: f\nsteps: [{A}, {step}]")
    assert [line.split(": ", 2)[1:] for line in lines] == [
        ["steps[1].when", 'unknown step "N"; the steps are A'],
        ["steps[1].depends_on[1]", 'unknown step "M"; the steps are A'],
        ["steps[1].depends_on[2]", 'unknown step "a b"; the steps are A'],
        ["steps[1].depends_on[3]", 'unknown step "1"; the steps are A'],
    ]


def test_the_order_of_depends_on_makes_no_difference() -> None:
    """The same steps in another order are the same condition, other steps another (rule 4.4)."""

    def flow(*depends_on: str) -> FlowSpec:
        others = tuple(StepSpec(name, ("x",)) for name in "ABC")
        return FlowSpec("f", (*others, StepSpec("S", ("x",), "any(failed)", depends_on)))

    assert differences(flow("A", "B"), flow("B", "A")) == ()
    assert len(differences(flow("A", "B"), flow("A", "C"))) == 1


def test_a_condition_that_explodes_is_refused(complaints: Complaints) -> None:
    """A few kilobytes must not stand for millions of operands (rule 2.8)."""
    file = f"flow_id: f\nsteps: [{A}, {{id: S, command: [x], when: {{}}, depends_on: [A]}}]"
    most = " || ".join(["any(failed)"] * 15)
    assert complaints(file.replace("{}", most)) == []
    message, *_ = complaints(file.replace("{}", f"{most} && any(failed)"))
    assert "more than 15 calls in one condition" in message
