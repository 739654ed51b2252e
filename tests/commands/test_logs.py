"""`logs`: what the steps have printed, and with `-f` what they go on to print (rule 9.6)."""

from pathlib import Path
from typing import Any

import pytest

from support.flow import Flow
from support.gate import Gate

BOTH = {"id": "a", "command": ["sh", "-c", "echo out; echo err >&2"]}
OTHER = {"id": "other", "command": ["echo", "from other"]}


def logs(flow: Flow, *words: str) -> str:
    answer = flow.run("logs", "--run-key=k", *words)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


def printing(step_id: str, *words: str) -> dict[str, Any]:
    return {"id": step_id, "command": ["printf", *words]}


@pytest.mark.integration
def test_what_steps_printed(real_flow: Flow, tmp_path: Path) -> None:
    """Of one step it is exactly what it printed, bytes included; of all, each line has its step."""
    raw = printing("raw", "\\377\\000\\033[2J\\r\\n")
    real_flow.start("k", real_flow.write(BOTH, OTHER, printing("c", "1\\n2\\nno end"), raw))
    assert logs(real_flow, "a") == logs(real_flow, "a", "--follow") == "out\nerr\n"
    assert logs(real_flow, "a", "--stream=stdout") == "out\n"
    assert logs(real_flow, "a", "--stream", "stderr") == "err\n"
    assert logs(real_flow, "c", "-n", "1") == logs(real_flow, "c", "--tail", "1") == "no end"
    assert logs(real_flow, "c", "-n", "all") == "1\n2\nno end"
    assert logs(real_flow, "--tail=0") == ""
    for words, first in (((), "c     | 1\n"), (("--tail=2",), "")):
        shown = real_flow.run("logs", "k", *words, encoding="utf-8", errors="replace").stdout
        others = "a     | out\na     | err\nother | from other\n"
        assert shown.startswith(f"{others}{first}c     | 2\nc     | no end\nraw   | ")
    with (tmp_path / "copy").open("wb") as copy:
        assert real_flow.run("logs", "-k", "k", "raw", stdout=copy).returncode == 0
    assert (tmp_path / "copy").read_bytes() == b"\xff\x00\x1b[2J\r\n"


def test_on_a_terminal(flow: Flow) -> None:
    """A terminal gets colours, but nothing that moves its cursor or hides text."""
    step = printing("a", "\\033[31mred\\033[0m \\033[2J \\342\\200\\256 \\377\\ttab\\r\\n")
    flow.start("k", flow.write(step))
    code, shown = flow.run_on_terminal("logs", "--run-key=k", "a")
    assert code == 0
    assert shown == "\x1b[31mred\x1b[0m \\x1b[2J \\u202e \\xff\ttab\x1b[0m\n"


def test_attempts(flow: Flow, tmp_path: Path) -> None:
    """The latest attempt is shown, or the one that `--attempt` names."""
    script = (
        f'echo "try $(ls {tmp_path}/tries | wc -l)"; mktemp -p {tmp_path}/tries >/dev/null; false'
    )
    (tmp_path / "tries").mkdir()
    step = {"id": "a", "command": ["sh", "-c", script], "retries": 1}
    flow.start("k", flow.write(step), code=1)
    assert logs(flow, "a") == "try 1\n"
    assert logs(flow, "a", "--attempt=1") == "try 0\n"
    assert flow.run("logs", "k", "--attempt=3").stderr == (
        "orchesjob-flow: no step has an attempt 3\n"
    )
    assert logs(flow, "a", "--attempt=all") == "1 | try 0\n2 | try 1\n"
    assert logs(flow, "--attempt", "all", "-n", "1") == "a | 1 | try 0\na | 2 | try 1\n"
    _, shown = flow.run_on_terminal("status", "k")
    assert "orchesjob-flow logs k --attempt all  # everything that its steps printed" in shown


def test_every_attempt_and_every_gate(flow: Flow) -> None:
    """`--attempt all` shows what `only_if` printed too, and attempts that could not start (9.6)."""
    gate = {"id": "a", "command": ["echo", "done"], "only_if": ["echo", "asked"]}
    secret = {"id": "b", "command": ["true"], "env_file": "gone.env"}
    flow.start("k", flow.write(gate, secret), code=1)
    answer = flow.run("logs", "k", "--attempt=all")
    assert answer.stdout == "a | 1 | asked\na | 2 | done\n"
    assert answer.stderr.startswith("orchesjob-flow: step 'b': attempt 1 ")
    assert "gone.env" in answer.stderr
    assert "gone.env" in flow.refusal("logs", "k", "b", "--attempt", "all")["error"]


def test_follow(flow: Flow, gate: Gate) -> None:
    """`-f` shows what is printed meanwhile, also by later steps and by retries."""
    first = {"id": "a", "command": gate.command("echo after", before="echo before")}
    again = {"id": "b", "command": gate.command("false", before="echo trying"), "retries": 1}
    flow.detach(flow.write(first, {**again, "when": "a"}), gate)
    following = flow.spawn("logs", "--run-key=k", "-f")
    assert following.stdout.readline() == "a | before\n"
    gate.let_through()
    assert following.stdout.readline() == "a | after\n"
    assert following.stdout.readline() == "b | trying\n"
    gate.await_arrival()
    gate.let_through()
    assert following.stdout.readline() == "b | trying\n"
    gate.let_through()
    stdout, stderr = following.communicate()
    assert (following.returncode, stdout, stderr) == (0, "", "")


def test_follow_a_run_without_a_runner(flow: Flow, gate: Gate) -> None:
    """`-f` ends once no job runs and nobody will start the next one, and says so (rule 6.4)."""
    command = gate.command("echo after", before="echo before")
    flow.abandon(flow.write({"id": "a", "command": command}, OTHER), gate)
    following = flow.spawn("logs", "--run-key=k", "a", "-f")
    assert following.stdout.readline() == "before\n"
    gate.let_through()
    stdout, stderr = following.communicate()
    assert (following.returncode, stdout) == (0, "after\n")
    assert stderr == (
        "orchesjob-flow: run 'k' has no runner and no running job: "
        "`orchesjob-flow resume k` continues it\n"
    )


def test_missing_files(flow: Flow) -> None:
    """A missing file, or a folder in its place, is reported, and the other files are shown."""
    run = flow.start("k", flow.write(BOTH, OTHER))
    for stream in ("stdout", "stderr"):
        Path(run["steps"][0]["orchesjob_status"][f"{stream}_file"]).unlink()
    Path(run["steps"][0]["orchesjob_status"]["stderr_file"]).mkdir()
    answer = flow.run("logs", "--run-key=k")
    assert (answer.returncode, answer.stdout) == (0, "other | from other\n")
    assert answer.stderr.count(" is missing: ") == 2
    alone = flow.run("logs", "--run-key=k", "a")
    assert (alone.returncode, alone.stdout) == (2, "")
    assert "its files are missing" in alone.stderr.splitlines()[-1]


def test_nothing_was_printed(flow: Flow) -> None:
    """A person who sees nothing is told that there is nothing; a file stays empty (rule 6.11)."""
    flow.start("k", flow.write({"id": "a", "command": ["true"]}))
    for words, whose in ((("logs", "k"), "run 'k'"), (("logs", "k", "a"), "step 'a'")):
        code, shown = flow.run_on_terminal(*words)
        assert (code, shown) == (0, f"orchesjob-flow: {whose} printed nothing\n")
        answer = flow.run(*words)
        assert (answer.stdout, answer.stderr) == ("", "")
