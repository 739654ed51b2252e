"""The group of which one run is under way at a time, as a flow file says it (rule 10.7)."""

import pytest

from flow_spec import FlowFileError, FlowSpec, OnConflict, StoredFlowError, differences, parse_flow

STEPS = "steps: [{id: a, command: [x]}]"


def read(concurrency: str | None) -> FlowSpec:
    said = "" if concurrency is None else f"concurrency: {concurrency}\n"
    return parse_flow(f"flow_id: f\n{said}{STEPS}\n")


@pytest.mark.parametrize(
    ("text", "group", "on_conflict"),
    [
        ("{}", "f", OnConflict.WAIT),
        ("{group: the warehouse, on_conflict: fail}", "the warehouse", OnConflict.FAIL),
        ("{group: 2026-05-07, on_conflict: 'wait', x-why: no}", "2026-05-07", OnConflict.WAIT),
    ],
)
def test_what_it_says(text: str, group: str, on_conflict: OnConflict) -> None:
    """The group is the flow's id unless it is named, and a run waits unless the file says else."""
    flow = read(text)
    assert flow.concurrency is not None
    assert (flow.group, flow.concurrency.on_conflict) == (group, on_conflict)
    assert FlowSpec.from_json(flow.to_json()) == flow


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            "wait",
            (
                '2:14: concurrency: must be a mapping, got "wait"; write {group: NAME}, whose runs '
                "take turns, or {on_conflict: wait}; max_parallel: limits the steps of a run"
            ),
        ),
        ("{group: ''}", "2:22: concurrency.group: must have 1 to 255 characters, got none"),
        (
            "{on_conflict: Skip}",
            (
                '2:28: concurrency.on_conflict: must be wait, skip, fail or replace, got "Skip"; '
                'did you mean "skip"?'
            ),
        ),
    ],
)
def test_mistakes(text: str, problem: str) -> None:
    """A mistake is told with its place, and what was probably meant (rules 2.6 and 2.7)."""
    with pytest.raises(FlowFileError) as caught:
        read(text)
    (found,) = caught.value.problems
    assert f"{found.line}:{found.column}: {found}" == problem


@pytest.mark.parametrize(
    ("before", "after", "sentences"),
    [
        ("{}", "{group: f, on_conflict: wait}", ()),
        (
            None,
            "{}",
            (
                'concurrency.group was not set and is now "f"',
                'concurrency.on_conflict was not set and is now "wait"',
            ),
        ),
        ("{}", "{on_conflict: skip}", ('concurrency.on_conflict was "wait" and is now "skip"',)),
    ],
)
def test_differences(before: str | None, after: str | None, sentences: tuple[str, ...]) -> None:
    """It is part of what a flow means; a default that is written out is not (rule 4.4)."""
    assert differences(read(before), read(after)) == sentences


def test_a_damaged_record() -> None:
    """What is stored has one of the three words, or is refused."""
    damaged = read("{on_conflict: skip}").to_json().replace('"skip"', '"skid"')
    with pytest.raises(StoredFlowError, match=r"concurrency\.on_conflict: 'skid' is not"):
        FlowSpec.from_json(damaged)
