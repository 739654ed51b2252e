"""`report`: what happened in a run, for people who were not there and for CI (rule 12.1)."""

import json
import os
import shutil
from pathlib import Path

import pytest
from junitparser import JUnitXml

from support.flow import Flow
from support.gate import Gate

FAILING = {"id": "bad", "command": ["sh", "-c", "echo said; echo why >&2; exit 4"]}
SKIPPED = {"id": "next", "command": ["true"], "when": "bad"}


def report(flow: Flow, form: str, *words: str) -> str:
    answer = flow.run("report", "k", "--format", form, *words)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


@pytest.mark.integration
def test_after_a_failure(real_flow: Flow) -> None:
    """Each format tells what failed, how, with which last words, and what did not run therefore."""
    real_flow.start("k", real_flow.write(FAILING, SKIPPED), code=1)
    markdown = report(real_flow, "markdown")
    assert "at step bad (exit code 4); 1 step was skipped." in markdown
    assert "```text\nsaid\n```" in markdown
    assert "```text\nwhy\n```" in markdown
    assert "| next | ⏭️ SKIPPED |" in markdown
    (suite,) = JUnitXml.fromstring(report(real_flow, "junit").encode())
    bad, skipped = suite
    assert (bad.result[0].type, "why" in bad.result[0].text) == ("exit code 4", True)
    assert skipped.result[0].message == "bad FAILED, so `bad` is false"
    trace = json.loads(report(real_flow, "trace"))
    assert [event["name"] for event in trace["traceEvents"] if event["ph"] == "X"] == ["bad"]
    page = report(real_flow, "html")
    assert page.index("(exit code 4); 1 step was skipped.") < page.index(">why</pre>")
    assert "bad FAILED, so <code>bad</code> is false" in page


def test_at_any_time(flow: Flow, gate: Gate) -> None:
    """A run that is under way is reported as it is now, and nothing of it changes."""
    file = flow.write({"id": "a", "command": gate.command()}, {**SKIPPED, "when": "a"})
    flow.detach(file, gate)
    flow.await_status("k", lambda run: run["steps"][0]["orchesjob_status"])
    before = flow.database.read_bytes()
    assert "a is running, 0 of 2 steps done." in report(flow, "markdown")
    assert report(flow, "junit").count("<skipped") == 2
    assert flow.database.read_bytes() == before
    gate.let_through()
    flow.ask("wait", "k")
    assert "All 2 steps succeeded" in report(flow, "markdown")


def test_file_in_one_step(flow: Flow) -> None:
    """A report replaces what is in a file at once, through a link too, and as the umask says.

    Another ending of its name is mentioned, and files of jobs that are gone.
    """
    flow.start("k", flow.write(FAILING), code=1)
    old, link = flow.folder / "old.md", flow.folder / "link.md"
    old.write_text("old", encoding="utf-8")
    link.symlink_to(old)
    kept = old.open(encoding="utf-8")
    with kept:
        assert report(flow, "markdown", "--output", "link.md") == ""
        assert kept.read() == "old"
    assert link.is_symlink()
    assert old.read_text(encoding="utf-8").startswith("## ❌ k FAILED")
    assert flow.run("report", "k", "-o", "new.md", umask=0o027).returncode == 0
    assert (flow.folder / "new.md").stat().st_mode & 0o777 == 0o640
    assert not list(flow.folder.glob(".*.md.*"))
    said = flow.run("report", "k", "-o", "k.xml").stderr
    assert said == "orchesjob-flow: k.xml holds the format html; --format junit writes junit\n"
    for output in ("missing/report.md", ".", "/dev/null", "flow.json"):
        error = flow.refusal("report", "k", "--output", output)["error"]
        assert error.startswith(f"cannot write to {output}: ")
    shutil.rmtree(flow.orchesjob.home)
    markdown = report(flow, "markdown")
    assert "exit code 4" in markdown
    assert markdown.count(" is missing.") == 2
    assert "(the file is missing)" in report(flow, "junit")


def test_page_on_a_terminal(flow: Flow) -> None:
    """A page is written into a file named after the run, in place of an earlier report only."""
    flow.start("a/b", flow.write({"id": "a", "command": ["true"]}))
    path = flow.folder / "a%2Fb.html"
    code, shown = flow.run_on_terminal("report", "a/b", size=(400, 24))
    assert (code, shown) == (0, f"The report is in {path}\n")
    first = path.read_text(encoding="utf-8")
    assert first.startswith("<!doctype html>")
    assert flow.run_on_terminal("report", "a/b")[0] == 0
    path.write_text("mine", encoding="utf-8")
    code, shown = flow.run_on_terminal("report", "a/b", size=(400, 24))
    assert code == 2
    assert (
        "a%2Fb.html is not a report, so it is not replaced: name another place with --output"
        in shown
    )
    assert path.read_text(encoding="utf-8") == "mine"
    assert flow.run("report", "a/b").stdout.startswith("<!doctype html>")


@pytest.mark.parametrize(("command", "code"), [("true", 0), ("false", 1)])
def test_written_when_the_run_ends(flow: Flow, command: str, code: int) -> None:
    """`start --report` writes each report however the run ends; a repetition writes it again."""
    file = flow.write({"id": "a", "command": [command]})
    asked = ["--report", "html=night.html", "--report=junit=junit.xml"]
    outcome = flow.ask("start", "k", file, *asked, code=code)["status"]
    page, junit = flow.folder / "night.html", flow.folder / "junit.xml"
    assert f"<title>k {outcome}</title>" in page.read_text(encoding="utf-8")
    assert f'value="{outcome}"' in junit.read_text(encoding="utf-8")
    page.unlink()
    flow.ask("start", "k", file, *asked, code=code)
    assert page.exists()


IMPOSSIBLE = [
    (["--report=pdf=a"], "is not FORMAT=FILE with one of html, junit, markdown, trace"),
    (["--report=html"], "is not FORMAT=FILE"),
    (["--report=html=no/a.html"], "there is no folder no"),
    (["--report=html=pipe"], "cannot write to pipe: it is not a regular file"),
    (["--report=html=to-pipe"], "cannot write to to-pipe: it is not a regular file"),
    (["--report=html=/dev/null"], "cannot write to /dev/null: it is not a regular file"),
    (["--report=html=flow.json"], "cannot write to flow.json: it is a flow file"),
    (["--report=trace=to-flow"], "cannot write to to-flow: it is a flow file"),
    (["--report=html=hard-link"], "cannot write to hard-link: it is a flow file"),
    (["--report=html=other.yaml"], "cannot write to other.yaml: it is a flow file"),
    (["--report=html=a.html", "-d"], "a background process writes no report"),
]


def test_a_report_that_nobody_could_write(flow: Flow) -> None:
    """What can be known to be wrong is refused before anything is recorded (rule 12.1)."""
    file = flow.write({"id": "a", "command": ["true"]})
    os.mkfifo(flow.folder / "pipe")
    (flow.folder / "to-pipe").symlink_to("pipe")
    (flow.folder / "to-flow").symlink_to("flow.json")
    (flow.folder / "hard-link").hardlink_to(file)
    other = flow.folder / "other.yaml"
    other.write_text("flow_id: other\nsteps: not yet valid\n", encoding="utf-8")
    before = {path: path.read_bytes() for path in (Path(file), other)}
    for words, why in IMPOSSIBLE:
        assert why in flow.refusal("start", "k", file, *words)["error"]
    assert not flow.database.exists()
    assert {path: path.read_bytes() for path in before} == before


def test_a_pipe_where_the_report_will_be(flow: Flow) -> None:
    """What a step puts in the place of a report cannot hold up the end of the run."""
    file = flow.write({"id": "a", "command": ["mkfifo", "k.html"]})
    answer = flow.run("start", "k", file, "--report=html=k.html")
    assert (answer.returncode, json.loads(answer.stdout)["status"]) == (0, "SUCCEEDED")
    assert "cannot write to k.html: it is not a regular file" in answer.stderr
