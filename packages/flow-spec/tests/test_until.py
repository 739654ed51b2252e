"""What a run leaves out that is made for some steps (rule 6.14)."""

import time

import pytest

from flow_spec import FlowSpec, StepEnds, differences, parse_flow

FLOW = parse_flow("""
flow_id: f
steps:
  - {id: fetch, command: [x]}
  - foreach: {SHOP: [berlin, paris]}
    steps:
      - {id: load, when: fetch, command: [x]}
      - {id: check, when: load.finished, command: [x]}
  - {id: rollback, when: load.failed && !publish, command: [x]}
  - {id: publish, depends_on: [check], when: any(passed), command: [x]}
  - {id: alone, command: [x]}
finally:
  - {id: alert, when: any(failed), command: [x]}
  - {id: tidy, when: load@paris, command: [x]}
""")
ALL = [step.id for step in FLOW.steps]


@pytest.mark.parametrize(
    ("until", "kept"),
    [
        ([], ALL),
        (["load@berlin"], ["fetch", "load@berlin"]),
        (["check@paris"], ["fetch", "load@paris", "check@paris"]),
        (["alone", "load@paris"], ["fetch", "load@paris", "alone"]),
        (["publish"], [one for one in ALL if one not in ("rollback", "alone")]),
        (["rollback"], [one for one in ALL if one != "alone"]),
        (["tidy"], ["fetch", "load@paris"]),
    ],
)
def test_what_is_left_out(until: list[str], kept: list[str]) -> None:
    """The named steps are kept, and what they wait for, directly or not; `finally` always is."""
    flow = FLOW.with_until(until)
    assert [one for one in ALL if one not in flow.left_out] == kept
    assert set(flow.left_out) <= set(ALL)
    assert flow.until == tuple(sorted(until))
    assert FlowSpec.from_json(flow.to_json()) == flow


@pytest.mark.parametrize(("until", "passed"), [([], True), (["skipped"], False)])
def test_what_is_left_out_has_not_passed(until: list[str], passed: bool) -> None:
    """A step that is skipped after an optional one has passed, but not one that is left out."""
    flow = parse_flow("""
flow_id: f
steps:
  - {id: skipped, only_if: [x], command: [x]}
  - {id: after, when: skipped, command: [x]}
finally:
  - {id: asks, when: after.passed, command: [x]}
""").with_until(until)
    fates = {"skipped": ("SKIPPED", True), "after": ("SKIPPED", False)}
    condition = flow.step("asks").condition
    assert condition is not None
    assert condition.evaluate(StepEnds(flow, fates.get).value) is passed


def test_it_is_part_of_the_definition() -> None:
    """A run of other steps is another run, however often and in which order they are named."""
    some, more, same = map(
        FLOW.with_until, (["load"], ["load", "alone", "load"], ["alone", "load"])
    )
    assert differences(FLOW, some) == ('until was not set and is now "load"',)
    assert differences(some, more) == ('until was "load" and is now "alone, load"',)
    assert differences(more, same) == ()


def test_many_copies() -> None:
    """Thousands of steps that wait for thousands of copies are looked at once."""
    values = ", ".join(f"v{number}" for number in range(4000))
    flow = parse_flow(f"""
flow_id: f
steps:
  - foreach: {{V: [{values}]}}
    steps: [{{id: a, command: [x]}}]
  - foreach: {{V: [{values}]}}
    steps: [{{id: b, when: a, command: [x]}}]
  - {{id: c, command: [x]}}
""")
    began = time.process_time()
    assert flow.with_until(["b"]).left_out == ("c",)
    assert time.process_time() - began < 2
