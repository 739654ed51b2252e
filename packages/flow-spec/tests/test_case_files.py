"""Rule 11.4: which cases a file can hold, and what is wrong with one, with line and column."""

from collections.abc import Callable
from pathlib import Path

import pytest

from flow_spec import FlowFileError, ReadCases, read_cases, read_document, read_list

FLOW = """\
flow_id: nightly
params: {DAY: {pattern: '[a-z]+'}, SHOP: berlin}
steps:
  - {foreach: {CITY: [rome, oslo]}, steps: [{id: fetch, command: [x], skip_exit_codes: [4]}]}
  - {id: load, when: fetch, command: [x]}
finally:
  - {id: alert, when: any(failed), command: [x]}
"""
CASES = """\
cases:
  - name: a failed load sends the alert
    params: {DAY: monday}
    given: {load: failed, fetch: skipped, fetch@rome: succeeded}
    expect: {alert: SUCCEEDED, fetch@oslo: SKIPPED, run: FAILED}
    order: [fetch, load, alert]
  - name: a cancel
    params: {DAY: a, SHOP: rome}
    given: {cancel_at: load}
    expect: {run: CANCELLED}
"""

type Read = Callable[..., ReadCases]


@pytest.fixture
def read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Read:
    monkeypatch.chdir(tmp_path)

    def read(cases: str, name: str = "nightly.test.yaml", flow: str = FLOW) -> ReadCases:
        Path("nightly.yaml").write_text(flow, encoding="utf-8")
        Path(name).write_text(cases, encoding="utf-8")
        document = read_document(name)
        return read_cases(document, lambda _: read_list)

    return read


def test_a_case_is_read(read: Read) -> None:
    """Names keep the order of the file; the flow has the values of the case; a copy goes first."""
    first, second = read(CASES).cases
    assert (first.name, first.line) == ("a failed load sends the alert", 2)
    assert first.expect == (("alert", "SUCCEEDED"), ("fetch@oslo", "SKIPPED"), ("run", "FAILED"))
    assert first.order == ("fetch", "load", "alert")
    assert first.outcomes == {"fetch@rome": "succeeded", "fetch@oslo": "skipped", "load": "failed"}
    assert dict(second.flow.values) == {"DAY": "a", "SHOP": "rome"}
    assert (second.cancel_at, second.timeout_at, second.outcomes) == ("load", None, {})


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("nightly.test.yaml", ""),
        ("sub/other.yaml", "flow: ../nightly.yaml\n"),
        ("other.test.yaml", "flow: nightly.yaml\n"),
    ],
)
def test_which_flow_is_tested(read: Read, tmp_path: Path, name: str, head: str) -> None:
    (tmp_path / "sub").mkdir()
    assert Path(read(head + CASES, name).flow_file).samefile("nightly.yaml")


@pytest.mark.parametrize(
    ("name", "head", "error"),
    [
        (
            "other.yaml",
            "",
            (
                'other.yaml:1:1: a file of cases needs the key "flow"; '
                "or the name NAME.test.yaml beside the flow file NAME.yaml"
            ),
        ),
        (
            "other.test.yaml",
            "",
            "other.test.yaml:1:1: no such file: other.yaml; name the flow file in the key flow",
        ),
        ("other.yaml", "flow: none.yaml\n", "other.yaml:1:7: flow: no such file: none.yaml"),
    ],
)
def test_which_flow_is_missing(read: Read, name: str, head: str, error: str) -> None:
    with pytest.raises(FlowFileError) as caught:
        read(head + CASES, name)
    assert str(caught.value) == error


WRONG = """\
cases:
  - name: wrong
    params: {DAI: x}
    given: {laod: failed, load: FAILED, cancel: load, timeout_at: alrt}
    expect: {alert: succeeded, run: SKIPPED, fetch@paris: SKIPPED}
    order: [load, load, aler]
    exspect: {}
  - name: wrong
    params: {DAY: '7'}
    expect: {}
  - {}
"""


def test_every_problem_has_its_place(read: Read) -> None:
    """Unknown steps, statuses, parameters and keys are all reported at once, as in flow files."""
    with pytest.raises(FlowFileError) as caught:
        read(WRONG)
    statuses = "must be SUCCEEDED, FAILED, SKIPPED or CANCELLED"
    assert [line.removeprefix("nightly.test.yaml:") for line in str(caught.value).splitlines()] == [
        "3:13: cases[0].params.DAY: has no value; write params: {DAY: VALUE}",
        '3:14: cases[0].params.DAI: the flow has no parameter "DAI"; did you mean "DAY"?',
        '4:13: cases[0].given.laod: the flow has no step "laod"; did you mean "load"?',
        (
            '4:33: cases[0].given.load: must be succeeded, failed or skipped, got "FAILED"; '
            'did you mean "failed"?'
        ),
        '4:41: cases[0].given.cancel: the flow has no step "cancel"; did you mean "cancel_at"?',
        '4:49: cases[0].given.cancel: must be succeeded, failed or skipped, got "load"',
        '4:67: cases[0].given.timeout_at: the flow has no step "alrt"; did you mean "alert"?',
        f'5:21: cases[0].expect.alert: {statuses}, got "succeeded"; did you mean "SUCCEEDED"?',
        '5:37: cases[0].expect.run: must be SUCCEEDED, FAILED or CANCELLED, got "SKIPPED"',
        (
            '5:46: cases[0].expect["fetch@paris"]: the flow has no step "fetch@paris"; '
            'did you mean "fetch@rome"?'
        ),
        '6:19: cases[0].order[1]: "load" is listed twice; remove one of them',
        '6:25: cases[0].order[2]: the flow has no step "aler"; did you mean "alert"?',
        '7:5: cases[0].exspect: unknown key; did you mean "expect"?',
        "8:11: cases[1].name: an earlier case has this name",
        '9:19: cases[1].params.DAY: must match "[a-z]+" as a whole, got "7"',
        (
            "10:13: cases[1].expect: must not be empty: write a mapping such as "
            "{alert: SUCCEEDED, run: FAILED}"
        ),
        ('11:5: cases[2]: a case needs the key "name"; add name: NAME'),
        (
            '11:5: cases[2]: a case needs the key "expect"; '
            "add expect: {alert: SUCCEEDED, run: FAILED}"
        ),
        "11:5: cases[2].params.DAY: has no value; write params: {DAY: VALUE}",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cases: []", "1:8: cases: must not be empty: write a list such as [{name: "),
        ("7", '1:1: must be a mapping with cases, got "7"'),
        (FLOW, "1:1: this is a flow file, not a file of cases; name the file of its cases"),
    ],
)
def test_what_is_no_file_of_cases(read: Read, text: str, problem: str) -> None:
    with pytest.raises(FlowFileError) as caught:
        read(text)
    assert str(caught.value).startswith(f"nightly.test.yaml:{problem}")


def test_a_flow_that_is_not_valid(read: Read) -> None:
    with pytest.raises(FlowFileError) as caught:
        read(CASES, flow=FLOW.replace("when: fetch", "when: fech"))
    assert caught.value.source == "nightly.yaml"
    assert 'did you mean "fetch"?' in str(caught.value)
