"""The second list of steps, which run when all others have ended (rule 10.1)."""

from collections.abc import Callable

import pytest

from flow_spec import FlowFileError, FlowSpec, differences, json_schema, parse_flow

type Complaints = Callable[..., list[str]]

STEPS = "{id: a, command: [x]}, {id: b, command: [x], when: a.failed}"


def text_of(*finally_: str, steps: str = STEPS) -> str:
    return "\n".join(
        ["flow_id: f", f"steps: [{steps}]", "finally:", *(f"- {step}" for step in finally_)]
    )


def read(*finally_: str, steps: str = STEPS) -> FlowSpec:
    return parse_flow(text_of(*finally_, steps=steps))


def test_they_are_written_as_other_steps() -> None:
    """Every field has its meaning; the time of each is bounded (rule 10.1)."""
    flow = read(
        "{id: c, command: [tidy, 5], when: !a, retries: 2, timeout_sec: 1m}",
        "{id: d, command: [x], depends_on: [c]}",
    )
    assert [step.id for step in flow.steps] == ["a", "b"]
    assert [step.id for step in flow.all_steps] == ["a", "b", "c", "d"]
    assert flow.finally_ids == {"c", "d"}
    assert flow.step("c").command == ("tidy", "5")
    assert flow.step("c").waits_for == ("a",)
    assert [step.timeout_sec for step in flow.all_steps] == [None, None, 60.0, 600.0]
    assert [[step.id for step in rank] for rank in flow.ranks] == [["a"], ["b"]]
    assert [[step.id for step in rank] for rank in flow.finally_ranks] == [["c"], ["d"]]


def test_who_asks_how_the_run_ends_waits_for_the_rest() -> None:
    """All of `finally` but what asks that too, or waits for one that does (rule 3.9)."""
    flow = read(
        "{id: early, command: [x], when: a}",
        "{id: run, command: [x], when: early.finished}",
        "{id: c, command: [x], when: run ( failed ) && any(failed)}",
        "{id: d, command: [x], when: (c || run) && run(timed_out), depends_on: [c, run]}",
        "{id: late, command: [x], depends_on: [d]}",
        "{id: last, command: [x], when: late.finished}",
    )
    assert {step.id: step.waits_for for step in flow.finally_} == {
        "early": ("a",),
        "run": ("early",),
        "c": ("a", "b", "early", "run"),
        "d": ("c", "run", "early"),
        "late": ("d",),
        "last": ("late",),
    }
    assert [step.id for step in flow.finally_ if step.asks_run] == ["c", "d"]
    assert str(flow.step("c").condition) == "run(failed) && (a.failed || b.failed)"
    assert FlowSpec.from_json(flow.to_json()) == flow
    more = read("{id: c, command: [x], when: run(failed)}", "{id: e, command: [x]}")
    fewer = read("{id: c, command: [x], when: run(failed)}")
    assert [*differences(fewer, more)] == ['step "e" was added']


def test_the_waits_of_those_who_ask_are_bounded() -> None:
    """Many steps that ask, beside many others, are a plain error (rule 3.9)."""
    asking = (f"{{id: c{number}, command: [x], when: run(failed)}}" for number in range(500))
    others = (f"{{id: d{number}, command: [x]}}" for number in range(500))
    with pytest.raises(FlowFileError, match="wait for others of finally more than 200,000 times"):
        read(*asking, *others)


WRONG = [
    (
        "depends_on: [c]",
        "",
        '2:44: steps[0].depends_on[0]: "c" is a step of finally, which begins only',
    ),
    (
        "when: a.cancelled",
        "",
        "2:37: steps[0].when: unknown predicate 'cancelled'; only the steps of",
    ),
    ("when: run(failed)", "", "2:37: steps[0].when: there is no 'run(failed)'; only the steps of"),
    (
        "",
        "when: always",
        '4:31: finally[0].when: unknown step "always"; remove it: steps in finally alw',
    ),
    (
        "",
        "when: run(skipped)",
        "4:31: finally[0].when: there is no 'run(skipped)'; write 'run(...)' with",
    ),
    (
        "",
        "when: run(failure)",
        "4:31: finally[0].when: there is no 'run(failure)'; write 'run(failed)'",
    ),
    (
        "",
        "foreach: [p]",
        "4:34: finally[0].foreach: a step of finally cannot be repeated; repeat the",
    ),
]


@pytest.mark.parametrize(("first", "last", "problem"), WRONG)
def test_what_is_wrong_is_said_where_it_is(
    complaints: Complaints, first: str, last: str, problem: str
) -> None:
    """No step waits for one of `finally`, and what each can ask differs (rules 2.7 and 10.1)."""
    text = text_of(f"{{id: c, command: [x], {last}}}", steps=f"{{id: a, command: [x], {first}}}")
    assert complaints(text)[0].startswith(f"f:{problem}")


def test_ids_are_unique_in_the_whole_file(complaints: Complaints) -> None:
    """A step of `finally` may not have the id of one of `steps` (rules 2.3 and 10.1)."""
    (line,) = complaints(text_of("{id: a, command: [x]}"))
    assert line.startswith('f:4:8: finally[0].id: duplicate id "a": steps[0] on line 2 already has')


@pytest.mark.parametrize(
    ("fields", "condition", "waits_for"),
    [
        ("when: any(failed)", "a.failed || b.failed", ("a", "b")),
        ("when: any(cancelled), depends_on: []", "a.cancelled || b.cancelled", ("a", "b")),
        ("when: none(failed) && d", "!(a.failed || b.failed) && d", ("a", "b", "d")),
    ],
)
def test_without_depends_on_a_call_asks_all_steps(
    fields: str, condition: str, waits_for: tuple[str, ...]
) -> None:
    """`any`, `all` and `none` range over `steps`, and not over `finally` (rule 10.1)."""
    flow = read(f"{{id: c, command: [x], {fields}}}", "{id: d, command: [x]}")
    assert str(flow.step("c").condition) == condition
    assert flow.step("c").waits_for == waits_for
    again = FlowSpec.from_json(flow.to_json())
    assert again == flow
    assert str(again.step("c").condition) == condition


def test_what_finally_asks_counts_as_written_out(complaints: Complaints) -> None:
    """A small file cannot ask about all steps without end (rules 2.8 and 10.1)."""
    steps = ", ".join(f"{{id: s{number}, command: [x]}}" for number in range(1000))
    asking = [f"{{id: f{number}, command: [x], when: any(failed)}}" for number in range(200)]
    few = (
        "{id: g, command: [x], when: s1}",
        "{id: h, command: [x], when: any(failed), depends_on: [s1]}",
    )
    assert complaints(text_of(*asking, *few, steps=steps)) == []
    (line,) = complaints(text_of(*asking, "{id: g, command: [x], when: any(failed)}", steps=steps))
    assert line.startswith(
        "f:204:31: finally[200].when: the conditions of finally ask about all steps more than 200,"
    )


DIFFERENT = [
    ("{id: c, command: [x]}", "{id: c, command: [x], timeout_sec: 600}", ()),
    (
        "{id: c, command: [x], when: any(failed)}",
        "{id: c, command: [x], when: a.failed || b.failed}",
        (),
    ),
]


@pytest.mark.parametrize(("old", "new", "sentences"), DIFFERENT, ids=range(len(DIFFERENT)))
def test_two_flows_differ_in_what_they_do(old: str, new: str, sentences: tuple[str, ...]) -> None:
    """Their steps are compared as all others are (rules 4.4 and 10.1)."""
    assert differences(read(old), read(new)) == sentences


def test_a_step_that_is_moved_does_something_else() -> None:
    """In the other list the same step is decided at another time (rules 4.4 and 10.1)."""
    of_steps = read("{id: c, command: [x]}", steps=f"{STEPS}, {{id: d, command: [x]}}")
    moved = read("{id: c, command: [x]}", "{id: d, command: [x], timeout_sec: 600}")
    assert differences(of_steps, moved) == (
        'step "d" was moved to finally',
        'step "d": timeout_sec was not set and is now 600',
    )
    assert differences(moved, of_steps)[0] == 'step "d" was moved to steps'


def test_the_schema_knows_their_default() -> None:
    """An editor shows the `timeout_sec` that they have without giving one (rules 9.2, 10.1)."""
    properties = json_schema()["properties"]
    assert properties["finally"]["items"]["properties"]["timeout_sec"]["default"] == 600.0
    assert "default" not in properties["steps"]["items"]["else"]["properties"]["timeout_sec"]


def test_defaults_are_theirs_too() -> None:
    """What `defaults` gives, it gives to all steps; only then comes their own default (10.4)."""
    text = text_of("{id: c, command: [x]}", "{id: d, command: [x], timeout_sec: 5}")
    assert [step.timeout_sec for step in parse_flow(text).finally_] == [600.0, 5.0]
    limited = parse_flow(f"defaults: {{timeout_sec: 2h, retries: 1}}\n{text}")
    assert [step.timeout_sec for step in limited.all_steps] == [7200.0, 7200.0, 7200.0, 5.0]
    assert {step.retries for step in limited.all_steps} == {1}
