"""`validate`: flow files are checked without starting anything (rule 9.1)."""

import json
import shlex
from pathlib import Path

import pytest

from support.flow import Flow
from support.steps import TRUE

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
WRONG = "flow_id: wrong\nsteps:\n  - id: a\n    comand: [x]\n    when: b &&\n"


def test_valid_files(flow: Flow) -> None:
    """A valid file is listed with its flow and its number of steps; nothing is recorded."""
    found = flow.ask("validate", *map(str, EXAMPLES))["files"]
    assert [each["file"] for each in found] == list(map(str, EXAMPLES))
    assert all(each["valid"] and each["flow_id"] and each["steps"] > 1 for each in found)
    assert all(each["problems"] == [] for each in found)
    assert not flow.home.exists()


def test_every_problem_of_every_file(flow: Flow) -> None:
    """All problems of all files are reported; the exit code is 2."""
    (flow.folder / "wrong.yaml").write_text(WRONG)
    right = flow.write({"id": "a", "command": ["true"]}, name="right.json")
    found = flow.ask("validate", "wrong.yaml", "missing.yaml", right, code=2)["files"]
    assert [each["valid"] for each in found] == [False, False, True]
    wrong, missing, _ = found
    assert (wrong["flow_id"], wrong["steps"]) == (None, None)
    assert [(each["path"], each["line"], each["column"]) for each in wrong["problems"]] == [
        ("steps[0]", 3, 5),
        ("steps[0].comand", 4, 5),
        ("steps[0].when", 5, 11),
    ]
    assert 'did you mean "command"?' in wrong["problems"][1]["message"]
    assert "no such file" in missing["problems"][0]["message"]


@pytest.mark.parametrize("content", [WRONG, "steps: [", "\x00", "- 1"])
def test_the_same_problems_as_start(flow: Flow, content: str) -> None:
    """`validate` reports the same problems as `start`."""
    (flow.folder / "flow.yaml").write_text(content)
    (found,) = flow.ask("validate", "flow.yaml", code=2)["files"]
    assert flow.refusal("start", "--run-key=k", "flow.yaml")["problems"] == found["problems"]


def test_text(flow: Flow) -> None:
    """The text has place and problem on one line, as editors and CI jobs expect."""
    (flow.folder / "wrong.yaml").write_text(WRONG)
    right = flow.write({"id": "a", "command": ["true"]}, name="right.json")
    answer = flow.run("validate", "--format", "table", "wrong.yaml", right)
    assert (answer.returncode, answer.stderr) == (2, "")
    lines = answer.stdout.splitlines()
    assert lines[0].startswith("wrong.yaml:3:5: steps[0]: ")
    assert lines[-1] == f"{right}: valid: f, 1 step"


def test_no_file(flow: Flow) -> None:
    """A call without files is a usage error."""
    assert "FLOW_FILE" in flow.refusal("validate")["error"]


def test_json_is_one_line(flow: Flow) -> None:
    """On a pipe the answer is one line of JSON (rule 6.10)."""
    answer = flow.run("validate", str(EXAMPLES[0]))
    assert answer.stdout.count("\n") == 1
    assert json.loads(answer.stdout)


@pytest.mark.parametrize("line", ["cat flow.json | $flow {} -", "$flow {} <(cat flow.json)"])
@pytest.mark.parametrize("command", ["validate", "graph", "start --run-key=k"])
def test_pipes(flow: Flow, line: str, command: str) -> None:
    """A flow file is read from where a shell lets it come (rule 2.1)."""
    flow.write(TRUE)
    words = f"flow={shlex.quote(flow.program)}; {line.format(command)}"
    ended = flow.run("-c", words, executable="/bin/bash")
    assert ended.returncode == 0, ended
    assert "a" in ended.stdout
