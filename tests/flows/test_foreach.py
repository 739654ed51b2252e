"""Steps that are repeated for each of some values, in whole runs (rule 10.3)."""

import json
import os
from pathlib import Path
from typing import Any

from support.answers import outcomes
from support.flow import Flow
from support.gate import Gate

SAY = ["sh", "-c", 'echo "$SHOP/$DAY"; test "$SHOP" != bad']
LOAD: dict[str, Any] = {"id": "load", "command": SAY}
SUM = {"id": "sum", "command": ["true"], "when": "load"}
ALERT = {"id": "alert", "command": ["true"], "when": "load.failed"}


def write(flow: Flow, foreach: Any, *after: dict[str, Any], **block: Any) -> str:
    return flow.write({"foreach": foreach, "steps": [LOAD], **block}, *after)


def said(run: Any) -> dict[str, str]:
    return {
        step["id"]: Path(step["orchesjob_status"]["stdout_file"])
        .read_text(encoding="utf-8")
        .strip()
        for step in run["steps"]
        if step["foreach"] is not None
    }


def test_a_run(flow: Flow) -> None:
    """Each copy is a job of its own, has its values as variables, and says which these are."""
    shops = {"SHOP": ["good", "bad"], "DAY": ["1", "a b"]}
    file = write(flow, shops, SUM, ALERT, max_parallel=2)
    run = flow.start("k", file, code=1)
    assert said(run) == {
        "load@good@1": "good/1",
        "load@2": "good/a b",
        "load@bad@1": "bad/1",
        "load@4": "bad/a b",
    }
    assert [step["foreach"] for step in run["steps"]] == [
        {"SHOP": "good", "DAY": "1"},
        {"SHOP": "good", "DAY": "a b"},
        {"SHOP": "bad", "DAY": "1"},
        {"SHOP": "bad", "DAY": "a b"},
        None,
        None,
    ]
    assert outcomes(run)["sum"] == "SKIPPED"
    assert outcomes(run)["alert"] == "SUCCEEDED"
    assert run["error"] == "2 steps failed: load@bad@1, load@4"
    assert run["steps"][1]["run_key"] == "k:load@2:1"


def test_a_step_with_a_list(flow: Flow) -> None:
    """A step with `foreach` is a block of one step, whoever looks at it; a value is `ITEM`."""
    step = {"id": "load", "script": 'echo "of $ITEM"; test "$ITEM" != bad'}
    word = {"id": "word", "command": ["echo", "${{ SHOP }}"]}
    values = ["good", "a b", "bad"]
    items: list[dict[str, Any]] = [
        {**step, "foreach": values, "max_parallel": 1},
        {**word, "foreach": {"SHOP": ["x"]}},
    ]
    blocks: list[dict[str, Any]] = [
        {"foreach": {"ITEM": values}, "max_parallel": 1, "steps": [step]},
        {"foreach": {"SHOP": ["x"]}, "steps": [word]},
    ]
    file = flow.write(*items, SUM, ALERT, name="items.json")
    other = flow.write(*blocks, SUM, ALERT, name="blocks.json")
    run = flow.start("k", file, code=1)
    texts = {"load@good": "of good", "load@2": "of a b", "load@bad": "of bad", "word@x": "x"}
    assert said(run) == texts
    assert run["steps"][1]["foreach"] == {"ITEM": "a b"}
    assert outcomes(run)["alert"] == "SUCCEEDED"
    assert run["steps"][1]["started_at"] >= run["steps"][0]["finished_at"]
    again = flow.run("start", "--run-key=k", other)
    assert (again.returncode, json.loads(again.stdout)) == (1, run)
    assert flow.ask("validate", file)["files"][0]["steps"] == 6
    for words in (("graph",), ("simulate", "--fail=load@bad"), ("simulate", "--all")):
        shown = [flow.run(*words, each).stdout for each in (file, other)]
        assert shown[0] == shown[1]
        assert "load" in shown[0]
    explained = flow.ask("explain", "--run-key=k", "sum")["steps"][0]
    assert explained["reason"] == "load (2 SUCCEEDED, 1 FAILED), so `load` is false"
    run = flow.ask("retry", "--run-key=k", "--step=load@2", "--only", code=1)
    assert [step["attempt_no"] for step in run["steps"]][:4] == [1, 2, 1, 1]


def test_split(flow: Flow) -> None:
    """The values of a run are those of its parameters; who changes these reads the list again."""
    step = {"id": "say", "command": ["echo", "${{ SHOP }}"]}
    item = {**step, "foreach": {"SHOP": {"split": "${{ SHOPS }}", "at": ","}}}
    file = flow.write(item, params={"SHOPS": {}})
    assert "needs the parameter SHOPS" in flow.refusal("start", "--run-key=k", file)["error"]
    words = ("start", "--run-key=k", "--param=SHOPS=rome, a b,,oslo", file)
    run = flow.ask(*words)
    assert said(run) == {"say@rome": "rome", "say@2": "a b", "say@oslo": "oslo"}
    assert flow.ask(*words) == run
    error = flow.refusal("start", "--run-key=k", "--param=SHOPS=rome", file)
    assert error["differences"] == ['params.SHOPS was "rome, a b,,oslo" and is now "rome"']
    other = ("retry", "--run-key=k", "--step=say@rome", "--param=SHOPS=rome,lima")
    assert 'changes the list {split: "${{ SHOPS }}", at: ","}' in flow.refusal(*other)["error"]
    assert "2 copies of step 'say' were removed" in flow.refusal(*other, f"--file={file}")["error"]
    more = ("--step=say@rome", "--param=SHOPS=rome,a b,oslo,lima", f"--file={file}")
    run = flow.ask("retry", "--run-key=k", *more)
    assert said(run)["say@lima"] == "lima"
    shown = flow.run("graph", "--param=SHOPS=a,b", file).stdout
    assert shown.splitlines()[-1] == "1     say (2 copies)  at once"
    simulated = flow.ask("simulate", "--param=SHOPS=a,b", file)
    assert [step["id"] for step in simulated["steps"]] == ["say@a", "say@b"]
    twice = ("start", "--run-key=x", "--param=SHOPS=a,a", file)
    assert 'gives "a" twice' in flow.refusal(*twice)["error"]


def test_lines(flow: Flow) -> None:
    """They are read when the run is recorded; no later change or loss of the file matters."""
    days = flow.folder / "days.txt"
    days.write_bytes(b"mon\r\n\r\ntue\r\n")
    file = write(flow, {"DAY": {"lines": "days.txt"}})
    run = flow.start("k", file)
    assert said(run) == {"load@mon": "/mon", "load@tue": "/tue"}
    days.write_text("wed\n", encoding="utf-8")
    assert flow.start("k", file) == run
    days.unlink()
    assert flow.start("k", file) == run
    error = flow.refusal("start", "--run-key=other", file)
    assert error["problems"][0]["path"] == "steps[0].foreach.DAY.lines"
    assert '"days.txt" cannot be read: No such file' in error["error"]
    assert flow.run("status", "--run-key=other").returncode == 2
    for name in ("b.csv", "a.csv", "c.txt"):  # file names are sorted
        (flow.folder / name).touch()
    run = flow.start("glob", write(flow, {"DAY": {"glob": "*.csv"}}))
    assert said(run) == {"load@1": "/a.csv", "load@2": "/b.csv"}


def test_an_empty_list(flow: Flow, gate: Gate) -> None:
    """A file without lines, or a pattern that matches nothing, is an error when a run begins.

    But not if another run is before it, or if `--until` leaves the copies out (rule 10.3).
    """
    block = {"foreach": {"DAY": {"glob": "*.none"}}, "steps": [LOAD]}
    group: dict[str, Any] = {"concurrency": {"group": "g", "on_conflict": "skip"}}
    file = flow.write(block, {"id": "other", "command": ["true"]}, **group)
    holder = flow.write({"id": "a", "command": gate.command()}, name="holder.json", **group)
    runner = flow.spawn("start", "--run-key=holder", holder)
    gate.await_arrival()
    assert flow.run("start", "--run-key=k", file).returncode == 0
    gate.let_through()
    runner.communicate()
    refused = flow.refusal("start", "--run-key=k", file)["error"]
    assert refused.startswith(f'{{glob: "*.none"}} gives no values in {flow.folder}, so there')
    assert [run["run_key"] for run in flow.ask("list")["runs"]] == ["holder"]
    assert flow.ask("simulate", file)["status"] == "SUCCEEDED"
    assert "no copies of load" in flow.run("simulate", file).stderr
    assert "no copies of load" in flow.run("graph", file).stderr
    run = flow.ask("start", "--run-key=k", "--until=other", file)
    assert outcomes(run) == {"other": "SUCCEEDED"}
    again = flow.refusal("retry", "--run-key=k", "--step=load")["error"]
    assert "load" in again


def test_an_empty_list_that_may_be(flow: Flow) -> None:
    """With `allow_empty`, it gives no copies."""
    (flow.folder / "none.txt").touch()
    skipped = {"id": "none", "command": ["true"], "when": "load.skipped && load.finished"}
    sources = ({"lines": "none.txt"}, {"glob": "*.none"}, {"split": "${{ SHOPS }}"})
    for number, source in enumerate(sources):
        item = {**LOAD, "foreach": {"DAY": source | {"allow_empty": True}}}
        file = flow.write(item, SUM, skipped, params={"SHOPS": ""})
        assert flow.ask("validate", file)["files"][0]["warnings"] == []
        ((origin, text),) = source.items()
        said = f'{{{origin}: "{text}"}} gives no values, so there are no copies of load'
        done = flow.run("start", f"--run-key=k{number}", file)
        assert done.stderr.startswith(f"orchesjob-flow: {said}\n")
        run = json.loads(done.stdout)
        assert said not in flow.run("start", f"--run-key=k{number}", file).stderr
        again = flow.run("retry", f"--run-key=k{number}", "--step=none", "--file", file)
        assert again.stderr.startswith(f"orchesjob-flow: {said}\n")
        assert outcomes(run) == {"sum": "SKIPPED", "none": "SUCCEEDED"}
    allowed = {"lines": "none.txt", "allow_empty": True}
    alone = flow.start("alone", write(flow, {"DAY": allowed}))
    assert (alone["status"], alone["steps"]) == ("SUCCEEDED", [])
    assert "Steps: 0/0" in flow.run("status", "--run-key=alone", "--format=table").stdout


NO_LISTS = [
    ("folder", "cannot be read: Is a directory"),
    ("pipe", "is not a regular file"),
    ("/dev/zero", "is not a regular file"),
    ("missing", "cannot be read: No such file or directory"),
    ("binary", "a NUL byte in line 1"),
    ("latin", "is not UTF-8 text"),
    ("large", "is larger than 4 MiB"),
    ("twice", 'gives "a" twice'),
]


def test_no_list(flow: Flow) -> None:
    """Whatever a file may turn out to be, it is refused at once and nothing is recorded (2.8)."""
    (flow.folder / "folder").mkdir()
    os.mkfifo(flow.folder / "pipe")
    (flow.folder / "binary").write_bytes(b"\x7fELF\0")
    (flow.folder / "latin").write_bytes(b"gr\xfc\xdfe\n")
    (flow.folder / "large").write_bytes(b"a" * (4 * 1024 * 1024 + 1))
    (flow.folder / "twice").write_text("a\nb\na\n", encoding="utf-8")
    for name, flaw in NO_LISTS:
        error = flow.refusal("start", "--run-key=k", write(flow, {"DAY": {"lines": name}}))
        assert flaw in error["error"]
    assert not flow.database.exists()


def test_validate_and_graph(flow: Flow) -> None:
    """`validate` counts the copies, `graph` draws them as one, and both read the lists."""
    (flow.folder / "days.txt").write_text("mon\ntue\n", encoding="utf-8")
    file = write(flow, {"DAY": {"lines": "days.txt"}}, SUM, ALERT)
    assert flow.ask("validate", file)["files"][0]["steps"] == 4
    assert flow.run("graph", file).stdout.splitlines()[2:] == [
        "Rank  Step             Runs",
        "----  ---------------  ----------------",
        "1     load (2 copies)  at once",
        "2     sum              when load",
        "      alert            when load.failed",
    ]
    flow.start("k", file)
    drawn = flow.run("graph", "--run-key=k").stdout
    assert "load (2 copies)  2 SUCCEEDED   at once" in drawn
    mermaid = flow.run("graph", "--run-key=k", "--format=mermaid").stdout.splitlines()
    assert mermaid[1] == '    s0["load (2 copies)<br/>2 SUCCEEDED"]'
    assert sum("-->" in line for line in mermaid) == 2
    dot = flow.run("graph", "--run-key=k", "--format=dot").stdout
    assert '"load" [label="load (2 copies)\\n2 SUCCEEDED", fillcolor="#c8e6c9"]' in dot
    assert '"load" -> "sum"' in dot


def test_retry_with_a_file(flow: Flow) -> None:
    """The lists are read anew; new values are added, and none may be gone or mean another."""
    days = flow.folder / "days.txt"
    days.write_text("mon\na b\n", encoding="utf-8")
    file = write(flow, {"DAY": {"lines": "days.txt"}}, SUM)
    flow.start("k", file)
    days.write_text("mon\na b\nwed\n", encoding="utf-8")
    run = flow.ask("retry", "--run-key=k", "--step=sum", f"--file={file}")
    assert said(run) == {"load@mon": "/mon", "load@2": "/a b", "load@wed": "/wed"}
    assert [step["attempt_no"] for step in run["steps"]] == [1, 1, 1, 2]
    days.write_text("mon\nc d\nwed\n", encoding="utf-8")
    error = flow.refusal("retry", "--run-key=k", "--step=sum", f"--file={file}")
    assert (
        "step 'load@2' keeps its outcome, but its foreach gives it other values" in error["error"]
    )
    days.write_text("", encoding="utf-8")
    error = flow.refusal("retry", "--run-key=k", "--step=sum", f"--file={file}")
    assert "3 copies of step 'load' were removed" in error["error"]


def test_a_copy_that_waits_for_a_place(flow: Flow) -> None:
    """`status` and `explain` say what it waits for."""
    wait = {"id": "load", "command": ["sleep", "600"]}
    file = flow.write({"foreach": {"N": ["1", "2"]}, "steps": [wait], "max_parallel": 1})
    flow.ask("start", "-d", "--run-key=k", file)
    why = "waits for a place: max_parallel of its foreach is 1"
    assert flow.status("k")["steps"][1]["reason"] == why
    assert flow.ask("explain", "--run-key=k", "load@2")["steps"][0]["reason"] == why
    run = flow.ask("cancel", "--run-key=k", "--grace-seconds=0")
    assert outcomes(run) == {"load@1": "CANCELLED", "load@2": "CANCELLED"}


def test_logs(flow: Flow) -> None:
    """Those of one copy, or of all: each line is led by its copy then."""
    flow.start("k", write(flow, {"SHOP": ["good", "better"]}, SUM))
    assert flow.run("logs", "--run-key=k", "load@good").stdout == "good/\n"
    assert flow.run("logs", "--run-key=k", "load").stdout == (
        "load@good   | good/\nload@better | better/\n"
    )
    assert 'did you mean "load"' in flow.refusal("logs", "--run-key=k", "lod")["error"]
    flow.start("none", write(flow, {"DAY": {"glob": "*.none", "allow_empty": True}}))
    assert "it has no copies" in flow.refusal("logs", "--run-key=none", "load")["error"]
    error = flow.refusal("retry", "--run-key=none", "--step=load")["error"]
    assert error == "nothing of run 'none' to run again: 'load' has no copies in it"


def test_cases_of_a_step_with_a_list(flow: Flow) -> None:
    """A case names the copies, and gives the parameters of a list that is split (rule 11.4)."""
    step = {"id": "load", "command": ["true"], "foreach": {"split": "${{ SHOPS }}"}}
    flow.write(step, SUM, ALERT, params={"SHOPS": "rome oslo"}, name="flow.json")
    case = {
        "name": "other",
        "params": {"SHOPS": "lima"},
        "given": {"load@lima": "failed"},
        "expect": {"load": "FAILED", "sum": "SKIPPED", "run": "FAILED"},
    }
    one = {"name": "one", "given": {"load@oslo": "failed"}, "expect": {"alert": "SUCCEEDED"}}
    file = flow.folder / "flow.test.json"
    file.write_text(json.dumps({"cases": [one, case]}), encoding="utf-8")
    assert flow.run("test", "flow.test.json").returncode == 0
    case["given"] = {"load@oslo": "failed"}
    file.write_text(json.dumps({"cases": [one, case]}), encoding="utf-8")
    assert "the flow has no step" in flow.run("test", "flow.test.json").stdout


def test_retry(flow: Flow) -> None:
    """One copy by its id, all of them by the name that means them."""
    flow.start("k", write(flow, {"SHOP": ["good", "better"]}, SUM, ALERT))
    run = flow.ask("retry", "--run-key=k", "--step=load@better")
    assert [step["attempt_no"] for step in run["steps"]] == [1, 2, 2, 0]
    run = flow.ask("retry", "--run-key=k", "--step=load")
    assert [step["attempt_no"] for step in run["steps"]] == [2, 3, 3, 0]
    error = flow.refusal("retry", "--run-key=k", "--step=load@best")
    assert "load@better" in error["error"]
