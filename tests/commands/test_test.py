"""`test`: a flow has unit tests, whose cases are played in virtual time (rule 11.4)."""

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from support.flow import Flow

NG, OK, SKIP, CANCELLED = "FAILED", "SUCCEEDED", "SKIPPED", "CANCELLED"
FLOW = """\
flow_id: nightly
params: {DAY: {default: monday}}
timeout_sec: 4h
steps:
  - foreach: {CITY: [rome, oslo]}
    steps: [{id: fetch, command: [touch, ran], skip_exit_codes: [4], timeout_sec: 1h, retries: 1}]
  - {id: load, when: fetch, command: [touch, ran], produces: [ran], retry_exit_codes: [75]}
  - {id: beside, command: [touch, ran]}
  - {id: publish, when: load, command: [touch, ran], only_if: [test, -d, x]}
finally:
  - {id: alert, when: any(failed) || any(cancelled), command: [touch, ran]}
"""


def write(flow: Flow, *cases: dict[str, Any], name: str = "nightly.test.json") -> str:
    """Write the flow file, and a file of cases beside it; return the name of that."""
    (flow.folder / "nightly.yaml").write_text(FLOW, encoding="utf-8")
    (flow.folder / name).write_text(json.dumps({"cases": cases}), encoding="utf-8")
    return name


def failures(flow: Flow, *cases: dict[str, Any]) -> list[list[str]]:
    """Test the flow with some cases; return what does not hold in each."""
    named = ({"name": f"case {number}", **case} for number, case in enumerate(cases))
    answer = flow.run("test", write(flow, *named))
    (file,) = json.loads(answer.stdout)["files"]
    found = [[failure["message"] for failure in tried["failures"]] for tried in file["cases"]]
    assert [tried["passed"] for tried in file["cases"]] == [not each for each in found]
    assert answer.returncode == int(any(found))
    return found


HOLDS: list[tuple[dict[str, Any], dict[str, str], list[str]]] = [
    (
        {},
        {"load": OK, "fetch": OK, "fetch@rome": OK, "publish": OK, "alert": SKIP, "run": OK},
        ["fetch", "load", "publish"],
    ),
    (
        {"load": "failed"},
        {"load": NG, "publish": SKIP, "alert": OK, "run": NG},
        ["fetch@oslo", "load", "alert"],
    ),
    (
        {"load": {"produces": ["missing"]}},
        {"load": NG, "publish": SKIP, "alert": OK, "run": NG},
        ["fetch@oslo", "load", "alert"],
    ),
    ({"fetch@rome": "skipped"}, {"fetch@oslo": OK, "fetch@rome": SKIP, "load": SKIP}, []),
    ({"fetch": "failed", "fetch@rome": "succeeded"}, {"fetch@oslo": NG, "fetch@rome": OK}, []),
    ({"publish": "skipped"}, {"publish": SKIP, "run": OK}, ["load", "publish"]),
    ({"cancel_at": "load"}, {"load": CANCELLED, "alert": OK, "run": CANCELLED}, ["fetch", "alert"]),
    ({"timeout_at": "load"}, {"load": CANCELLED, "beside": OK, "alert": OK, "run": NG}, []),
    ({"timeout_at": "fetch"}, {"fetch": NG, "load": SKIP, "alert": OK}, ["fetch@rome", "alert"]),
    ({"timeout_at": "alert", "beside": "failed"}, {"alert": NG, "run": NG}, ["beside", "alert"]),
]


def case_of(given: Any, expect: Any, order: list[str]) -> dict[str, Any]:
    return {"given": given, "expect": expect, **({"order": order} if order else {})}


def test_what_holds(flow: Flow) -> None:
    """A case says how steps end, and the run, and which begins after which has ended."""
    assert failures(flow, *(case_of(*one) for one in HOLDS)) == [[] for _ in HOLDS]
    assert not (flow.folder / "ran").exists()
    assert not flow.home.exists()


def test_a_difference_has_its_reason(flow: Flow) -> None:
    """What is expected, what is the case, and the reason that `explain` gives."""
    given = {"fetch@rome": "failed"}
    expect = {"run": OK, "load": OK, "fetch": OK, "alert": OK}
    (found,) = failures(flow, {"given": given, "expect": expect})
    assert found == [
        "run is FAILED, expected SUCCEEDED: 1 step failed: fetch@rome",
        "load is SKIPPED, expected SUCCEEDED: fetch (1 FAILED, 1 SUCCEEDED), so `fetch` is false",
        "fetch@rome is FAILED, expected SUCCEEDED: exit code 1",
    ]


NOT_HAPPENING: list[tuple[dict[str, str], list[str], str]] = [
    ({"load": "failed", "publish": "failed"}, [], "publish does not end by itself, given"),
    ({"load": "failed", "cancel_at": "publish"}, [], "publish never begins, given cancel_at: "),
    ({"fetch": "failed", "timeout_at": "load"}, [], "load never runs, given timeout_at: "),
    ({"fetch": "failed"}, ["fetch", "load"], "load never begins: fetch (2 FAILED), so"),
    ({}, ["load", "fetch@rome"], "fetch@rome does not wait for load"),
]


def test_what_does_not_happen_fails(flow: Flow) -> None:
    """A case about what does not happen would be green and show nothing."""
    cases = [case_of(given, {"beside": OK}, order) for given, order, _ in NOT_HAPPENING]
    found = failures(flow, *cases)
    for (message,), (_, _, failure) in zip(found, NOT_HAPPENING, strict=True):
        assert message.startswith(failure)


def tried(flow: Flow, *steps: dict[str, Any], **case: Any) -> list[str]:
    """Test a flow of these steps with one case; return what does not hold."""
    fields = {"max_parallel": 1} if case.pop("one_at_a_time", False) else {}
    flow.write(*steps, name="n.json", **fields)
    (flow.folder / "n.test.json").write_text(json.dumps({"cases": [{"name": "it", **case}]}))
    (file,) = json.loads(flow.run("test", "n.test.json").stdout)["files"]
    found = [problem["path"] for problem in file["problems"]]
    return found or [one["message"] for one in file["cases"][0]["failures"]]


def test_copies(flow: Flow) -> None:
    """Of none, no status holds; in an order, a name means the same copy (rule 10.3)."""
    a, b, c = ({"id": name, "command": ["true"]} for name in "abc")
    (flow.folder / "none.txt").touch()
    none = {"foreach": {"X": {"lines": "none.txt"}}, "steps": [a]}
    said = "a is in no run, expected SUCCEEDED: it has no copies"
    assert tried(flow, none, expect={"a": OK}) == [said]
    some = {"foreach": {"X": ["p", "q"]}, "steps": [a, {**b, "when": "a"}, c]}
    said_of_both = ["c@p does not wait for b", "c@q does not wait for b"]
    assert tried(flow, some, expect={"run": OK}, order=["a", "b", "c"]) == said_of_both


def test_an_order_holds_however_long_commands_take(flow: Flow) -> None:
    """`b` begins after `c` has ended in virtual time, but waits only if one runs at a time."""
    order = ({"id": "c"}, {"id": "a"}, {"id": "b", "when": "a"})
    steps = [{**step, "command": ["true"]} for step in order]
    case: dict[str, Any] = {"expect": {"run": OK}, "order": ["c", "b"]}
    assert tried(flow, *steps, **case) == ["b does not wait for c"]
    assert tried(flow, *steps, **case, one_at_a_time=True) == []


def test_no_time_limit(flow: Flow) -> None:
    """A command that never ends needs a limit that expires."""
    case = {"given": {"timeout_at": "a"}, "expect": {"run": NG}}
    assert tried(flow, {"id": "a", "command": ["true"]}, **case) == ["cases[0].given.timeout_at"]


CASES: list[dict[str, Any]] = [
    {"name": "all is well", "expect": {"run": OK}},
    {"name": "wrong <&", "given": {"load": "failed"}, "expect": {"run": OK, "publish": OK}},
]


def test_json(flow: Flow) -> None:
    """The numbers, and for each case the statuses, and what does not hold."""
    answer = flow.ask("test", write(flow, *CASES), code=1)
    (file,) = answer.pop("files")
    assert answer == {"cases": 2, "failed": 1, "coverage": None}
    good, bad = file.pop("cases")
    assert file == {
        "file": "nightly.test.json",
        "valid": True,
        "flow_file": "nightly.yaml",
        "problems": [],
    }
    assert (good["passed"], good["status"], good["error"], good["failures"]) == (True, OK, None, [])
    assert bad["steps"]["load"] == NG
    assert bad["failures"][1] == {
        "message": "publish is SKIPPED, expected SUCCEEDED: load FAILED, so `load` is false",
        "key": "expect",
        "name": "publish",
        "expected": OK,
        "actual": SKIP,
        "reason": "load FAILED, so `load` is false",
    }


def test_junit(flow: Flow) -> None:
    """Each file is a suite; that a file is not valid is an error."""
    file = write(flow, *CASES)
    words = ("test", "--format=junit", "--coverage", file, "missing.test.yaml")
    answer = flow.run(*words)
    assert answer.returncode == 2
    good, bad = ElementTree.fromstring(answer.stdout)  # noqa: S314 - our own
    assert [good.get(key) for key in ("name", "tests", "failures", "errors")] == [
        file,
        "2",
        "1",
        "0",
    ]
    assert [case.get("name") for case in good.iter("testcase")] == ["all is well", "wrong <&"]
    (failure,) = good.iter("failure")
    assert failure.get("message") == "run is FAILED, expected SUCCEEDED: 1 step failed: load"
    assert "publish is SKIPPED" in (failure.text or "")
    assert "no case lets these steps fail" in (good.findtext("system-out") or "")
    assert [bad.get(key) for key in ("tests", "failures", "errors")] == ["1", "0", "1"]
    assert "no such file" in str(next(bad.iter("error")).get("message"))


def test_coverage(flow: Flow) -> None:
    """Steps that no case makes fail, and conditions that no case makes both true and false."""
    first = write(flow, {"name": "a", "given": {"fetch@rome": "failed"}, "expect": {"run": NG}})
    second = write(flow, {"name": "b", "expect": {"run": OK}}, name="more.test.json")
    text = (flow.folder / second).read_text().replace("{", '{"flow": "./nightly.yaml", ', 1)
    (flow.folder / second).write_text(text)
    (alone,) = flow.ask("test", "--coverage", first)["coverage"]
    assert alone["never_true"] == {"load": "fetch", "publish": "load"}
    (both,) = flow.ask("test", "--coverage", first, second)["coverage"]
    assert both == {
        "flow_file": "nightly.yaml",
        "flow_id": "nightly",
        "steps": 5,
        "conditions": 3,
        "never_fail": ["load", "beside", "publish", "alert"],
        "never_true": {},
        "never_false": {},
    }


def test_coverage_asks_for_nothing_that_cannot_happen(flow: Flow) -> None:
    """A condition that is always true needs no case that makes it false, nor one that never is."""
    text = """flow_id: f
steps:
- {id: a, command: [x], allow_failure: true}
- {id: b, when: a.passed, command: [x]}
- {id: c, when: a.finished, command: [x]}
- {id: d, when: a.skipped, command: [x]}
"""
    (flow.folder / "f.yaml").write_text(text)
    given = {"a": "failed", "b": "failed", "c": "failed"}
    case = {"name": "a", "given": given, "expect": {"d": "SKIPPED"}}
    (flow.folder / "f.test.json").write_text(json.dumps({"cases": [case]}))
    (found,) = flow.ask("test", "--coverage", "f.test.json")["coverage"]
    keys = "never_fail", "never_true", "never_false"
    assert [found[key] for key in keys] == [[], {}, {}]


WRONG: list[tuple[dict[str, Any], str]] = [
    (
        {"given": {"beside": {"produces": ["missing"]}}},
        "given.beside: step 'beside' produces no files that could be missing: ",
    ),
    (
        {"given": {"load": {"produces": ["gone"]}}},
        'given.load.produces[0]: must be missing, got "gone"',
    ),
    ({"given": {"load": "skipped"}}, "given.load: step 'load' is never skipped once it runs: "),
    (
        {"given": {"laod": "failed"}},
        'given.laod: the flow has no step "laod"; did you mean "load"?',
    ),
    ({"given": {"fetch": "failed"}, "expect": {"run": "failed"}}, "expect.run: must be SUCCEEDED"),
]


@pytest.mark.parametrize("command", ["test", "validate"])
def test_what_is_not_valid(flow: Flow, command: str) -> None:
    """What no run can do, and what is misspelled, is an error with its place; exit code 2."""
    for case, problem in WRONG:
        file = write(flow, {"name": "it", "expect": {"run": OK}, **case})
        (found,) = flow.ask(command, file, code=2)["files"]
        assert found["valid"] is False
        (one,) = found["problems"]
        assert f"{one['path']}: {one['message']}".startswith(f"cases[0].{problem}")
    shown = flow.run(command, "--format=table", "nightly.test.json").stdout
    assert re.match(r"nightly\.test\.json:1:\d+: cases\[0\]\.expect\.run: must be", shown)


def test_other_files_are_tested_nevertheless(flow: Flow) -> None:
    """A file that is not valid ends with 2, and keeps no other from being tested."""
    file = write(flow, *CASES)
    found = flow.ask("test", "nightly.yaml", file, code=2)
    assert [(one["valid"], len(one["cases"])) for one in found["files"]] == [(False, 0), (True, 2)]
    assert "is a flow file" in found["files"][0]["problems"][0]["message"]
    shown = flow.run("test", "--format=table", "nightly.yaml", file).stdout
    assert shown.splitlines()[-1] == "2 cases, 1 failed, 1 file not valid"


def test_validate_knows_files_of_cases(flow: Flow) -> None:
    """It says what they are, and whose cases they hold; it plays none."""
    file = write(flow, *CASES)
    (found,) = flow.ask("validate", "--strict", file)["files"]
    assert (found["valid"], found["cases"], found["flow_id"]) == (True, 2, None)
    shown = flow.run("validate", "--format=table", file).stdout
    assert shown == f"{file}: valid: 2 cases of nightly.yaml\n"


def test_other_commands_say_what_the_file_is(flow: Flow) -> None:
    """Where a flow is expected, the error names the command that runs cases."""
    file = write(flow, *CASES)
    for words in (["start", "k", file], ["simulate", file], ["graph", file]):
        assert "`orchesjob-flow test` runs it" in flow.refusal(*words)["error"]


def test_schema(flow: Flow) -> None:
    """Editors get the schema of these files, too (rule 9.2)."""
    schema = json.loads(flow.run("schema", "--cases").stdout)
    assert list(schema["properties"]) == ["flow", "cases", "$schema"]
    assert schema["properties"]["cases"]["items"]["required"] == ["name", "expect"]


def test_a_pipe(flow: Flow) -> None:
    """Cases may come from the standard input, if they name their flow."""
    text = (flow.folder / write(flow, *CASES[:1])).read_text()
    with_flow = text.replace("{", '{"flow": "nightly.yaml", ', 1)
    (flow.folder / "piped").write_text(with_flow)
    with Path(flow.folder / "piped").open() as piped:
        assert flow.run("test", "-", stdin=piped).returncode == 0


@pytest.mark.parametrize("name", ["nightly", "nightly.yml"])
def test_without_the_ending(flow: Flow, name: str) -> None:
    """The file of cases beside a flow file is offered for the name of the flow."""
    (flow.folder / "nightly.test.yaml").write_text("cases: []", encoding="utf-8")
    answer = json.loads(flow.run("test", name).stdout)
    ((problem,),) = (file["problems"] for file in answer["files"])
    assert problem["message"] == "no such file; did you mean nightly.test.yaml?"


def test_on_a_terminal(flow: Flow) -> None:
    """Verdicts have colours."""
    _, shown = flow.run_on_terminal("test", write(flow, *CASES))
    assert "\x1b[32mOK\x1b[0m  all is well" in shown
    assert "\x1b[31mNG\x1b[0m  wrong" in shown
