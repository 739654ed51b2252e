"""`validate`: flow files are checked without starting anything (rule 9.1)."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest

from flow_spec import WarningCode
from support.flow import Flow
from support.steps import TRUE

FOLDER = Path(__file__).parents[2] / "examples"
CASES = sorted(FOLDER.glob("*.test.yaml"))
EXAMPLES = sorted({*FOLDER.glob("*.yaml")} - {*CASES})
WRONG = "flow_id: wrong\nsteps:\n  - id: a\n    comand: [x]\n    when: b &&\n"


def test_the_examples_are_free_of_warnings(flow: Flow) -> None:
    """What people copy has nothing to be warned about, the example of `example` included (11.2)."""
    (flow.folder / "example.yaml").write_text(flow.run("example").stdout)
    files = [*map(str, (*EXAMPLES, *CASES)), "example.yaml"]
    found = flow.ask("validate", "--strict", *files)["files"]
    assert [each["file"] for each in found] == files
    assert all(each["valid"] and each["warnings"] == each["problems"] == [] for each in found)
    assert all(each["flow_id"] and each["steps"] > 1 for each in found[: len(EXAMPLES)])
    assert not flow.home.exists()


NEVER: list[dict[str, Any]] = [
    {"id": "a", "command": ["true"]},
    {"id": "b", "command": ["no-such-program-here"], "when": "a.skipped"},
]


def test_warnings(flow: Flow) -> None:
    """A warning leaves the exit code at 0, `--strict` makes it 2, `--allow` omits it (11.2)."""
    file = flow.write(*NEVER, name="flow.yaml")
    (found,) = flow.ask("validate", file)["files"]
    assert (found["valid"], found["problems"], found["proven"]) == (True, [], True)
    assert [(each["code"], each["path"], each["line"]) for each in found["warnings"]] == [
        ("no-such-program", "steps[1].command[0]", 1),
        ("never-runs", "steps[1].when", 1),
    ]
    keys = {"code", "message", "path", "line", "column", "help", "outcomes"}
    assert all(each.keys() == keys for each in found["warnings"])
    assert flow.ask("validate", "--strict", file, code=2)["files"] == [found]
    allowed = ("--allow=never-runs", "--allow", "no-such-program")
    assert flow.ask("validate", "--strict", *allowed, file)["files"][0]["warnings"] == []
    assert "never-runs" in flow.refusal("validate", "--allow=never", file)["error"]
    _, warning, last = flow.run("validate", "--format=text", file).stdout.splitlines()
    place = rf"{re.escape(file)}:1:\d+"  # each is one line, before what the file holds
    assert re.match(rf"{place}: warning\[never-runs\]: steps\[1\].when: ", warning)
    assert last == f"{file}: valid: f, 2 steps, 2 warnings"


PROGRAMS: list[tuple[dict[str, Any], bool]] = [
    ({"command": ["no-such-program-here"]}, True),
    ({"command": ["/no/such/program"]}, True),
    ({"command": ["./made/by/a/build"]}, False),
    ({"command": ["/no/such/program"], "depends_on": ["a"]}, False),
    ({"command": ["no-such-program-here"], "env_file": "x.env"}, False),
    ({"command": ["sh"], "env": {"PATH": "/no/such/folder"}}, True),
    ({"command": ["x"], "env": {"PATH": "bin"}}, False),
    ({"command": ["sh"]}, False),
    ({"command": ["sh"], "only_if": ["no-such-program-here"]}, True),
    ({"command": ["cd", "x"]}, True),
    ({"command": ["/no/such/x"], "only_if": ["test", "-x", "/no/such/x"]}, False),
    ({"command": ["/no/such/x"], "only_if": ["test", "-x", "/no/such/y"]}, True),
    ({"command": ["nosuch"], "only_if": ["sh", "-c", "command -v nosuch || exit 1"]}, False),
]


def test_programs(flow: Flow) -> None:
    """A program is missed only where it is known not to be there (rule 11.2)."""
    files = [
        flow.write(NEVER[0], {"id": "b", **step}, name=f"{number}.json")
        for number, (step, _) in enumerate(PROGRAMS)
    ]
    found = flow.ask("validate", *files)["files"]
    assert [[each["code"] for each in file["warnings"]] for file in found] == [
        ["no-such-program"] * lacks for _, lacks in PROGRAMS
    ]


@pytest.mark.parametrize("code", [*WarningCode][::6])
def test_each_code_is_explained(flow: Flow, code: WarningCode) -> None:
    """The section of the document, without a flow file (rule 11.2)."""
    done = flow.run("validate", "--explain", code)
    first, *rest = done.stdout.splitlines()
    assert (done.returncode, first, done.stderr) == (0, code, "")
    assert f"flow_id: {code}" in done.stdout
    assert not any(line.startswith("## ") for line in rest)


def test_every_problem_of_every_file(flow: Flow) -> None:
    """All problems of all files are reported; the exit code is 2."""
    (flow.folder / "wrong.yaml").write_text(WRONG)
    right = flow.write({"id": "a", "command": ["true"]}, name="right.json")
    found = flow.ask("validate", "wrong.yaml", "missing.yaml", right, code=2)["files"]
    assert [each["valid"] for each in found] == [False, False, True]
    wrong, missing, _ = found
    assert (wrong["flow_id"], wrong["steps"]) == (None, None)
    assert [(each["path"], each["line"], each["column"]) for each in wrong["problems"]] == [
        ("steps[0].comand", 4, 5),
        ("steps[0].when", 5, 11),
    ]
    keys = {"message", "path", "line", "column", "help"}
    assert all(each.keys() == keys for each in wrong["problems"])
    assert 'did you mean "command"?' in wrong["problems"][0]["message"]
    assert "no such file" in missing["problems"][0]["message"]


def test_annotations(flow: Flow) -> None:
    """GitHub shows problems and warnings at their lines; what is right has none (11.2)."""
    good = flow.write({"id": "a", "command": ["true"]})
    lost = flow.folder / "lost.yaml"
    lost.write_text("flow_id: f\nsteps:\n  - id: a\n    command: [bash, -c, 'a | b']\n")
    wrong = flow.folder / "wrong.yaml"
    wrong.write_text("flow_id: f\nsteps:\n  - id: a\n    comand: x\n")
    words = ("validate", "--format=github", good, str(lost), str(wrong))
    answer = flow.run(*words)
    warning, error = answer.stdout.splitlines()
    assert warning.startswith(f"::warning file={lost},line=4,col=25,title=lost-failure::steps[0].")
    assert error == (
        f'::error file={wrong},line=4,col=5::steps[0].comand: unknown key; did you mean "command"?'
    )
    assert answer.returncode == 2


@pytest.mark.parametrize(
    ("line", "command"),
    [("cat flow.json | $flow {} -", "start k"), ("$flow {} <(cat flow.json)", "graph")],
)
def test_pipes(flow: Flow, line: str, command: str) -> None:
    """A flow file is read from where a shell lets it come (rule 2.1)."""
    flow.write(TRUE)
    words = f"flow={shlex.quote(flow.program)}; {line.format(command)}"
    ended = flow.run("-c", words, executable="/bin/bash")
    assert ended.returncode == 0, ended
    assert "a" in ended.stdout


@pytest.mark.parametrize("words", [("start", "--run-key=k"), ("run",)])
def test_a_start_on_a_terminal_mentions_warnings(flow: Flow, words: tuple[str, ...]) -> None:
    """One line says how many, and which command shows them; a pipe gets none (rule 11.2)."""
    file = flow.write({"id": "a", "command": ["true"]}, {"id": "b", "command": ["echo", "$HOME"]})
    _, shown = flow.run_on_terminal(*words, file, size=(300, 24))
    assert f"there is a warning about this flow: `orchesjob-flow validate {file}`" in shown
    assert "warning" not in flow.run(*words, file).stderr
