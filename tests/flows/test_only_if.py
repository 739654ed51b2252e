"""`only_if` is asked before a step's command, and decides whether that runs (rule 10.8)."""

from pathlib import Path
from typing import Any

from support.answers import errors, outcomes
from support.flow import Flow
from support.gate import Gate

TELL = 'echo "$0 $ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT $WHERE"'


def exits(code: int, say: str = ":") -> list[str]:
    return ["sh", "-c", f"{say}; exit {code}"]


def attempts(run: Any, step_id: str) -> list[tuple[bool, str, str | None]]:
    """Return of each attempt at a step whether it was at the gate, and how and why it ended."""
    (step,) = (step for step in run["steps"] if step["id"] == step_id)
    return [(one["only_if"], one["status"], one["error"]) for one in step["attempts"]]


def test_what_it_answers(flow: Flow) -> None:
    """0 runs the step, 1 skips it, anything else fails it, and it is asked again as retries say."""
    tidy = {"id": "tidy", "command": ["true"], "only_if": ["true"], "when": "after"}
    finally_: dict[str, Any] = {"finally": [tidy]}
    file = flow.write(
        {"id": "yes", "command": ["true"], "only_if": ["true"]},
        {"id": "no", "command": ["false"], "only_if": ["false"], "when": "yes"},
        {"id": "bad", "command": ["true"], "only_if": exits(2), "retries": 1},
        {"id": "none", "command": ["true"], "only_if": ["/no/such/program"]},
        {"id": "unasked", "command": ["true"], "only_if": ["false"], "when": "bad"},
        {"id": "after", "command": ["true"], "when": "yes && no.skipped && bad.failed"},
        **finally_,
    )
    run = flow.start("k", file, code=1)
    gone = (
        "the command could not be started: not found, not executable, or no process left: "
        "/no/such/program"
    )
    assert errors(run) == [
        ("yes", "SUCCEEDED", None),
        ("no", "SKIPPED", None),
        ("bad", "FAILED", "only_if: exit code 2"),
        ("none", "FAILED", f"only_if: {gone}"),
        ("unasked", "SKIPPED", None),
        ("after", "SUCCEEDED", None),
        ("tidy", "SUCCEEDED", None),
    ]
    passed = [(True, "SUCCEEDED", None), (False, "SUCCEEDED", None)]
    assert attempts(run, "yes") == attempts(run, "tidy") == passed
    assert attempts(run, "no") == [(True, "SKIPPED", None)]
    assert attempts(run, "bad") == [(True, "FAILED", "exit code 2")] * 2
    assert attempts(run, "unasked") == []
    assert flow.orchesjob.status("k:yes:1")["command"] == ["true"]
    checks = flow.ask("doctor")["checks"]
    assert checks[-1]["message"] == "9 of 9 attempts match orchesjob's records"


def test_what_it_is_given(flow: Flow, tmp_path: Path) -> None:
    """It has the variables, the files of variables, the directory and the names of the command."""
    (tmp_path / "within").mkdir()
    (tmp_path / "vars.env").write_text("WHERE=here\n", encoding="utf-8")
    tell = f"{TELL} >>told"
    file = flow.write(
        {
            "id": "a",
            "command": ["sh", "-c", tell, "command"],
            "only_if": ["sh", "-c", tell, "gate of ${{ RUN_KEY }}"],
            "env_file": "vars.env",
            "working_dir": "within",
        }
    )
    flow.start("k", file)
    told = (tmp_path / "within" / "told").read_text(encoding="utf-8")
    assert told == "gate of k a 1 here\ncommand a 2 here\n"


def test_a_failed_command_does_not_ask_again(flow: Flow) -> None:
    """Gate and command share the retries; what the gate has answered holds for all of them."""
    number = '[ "$ORCHESJOB_FLOW_ATTEMPT" = {} ]'
    file = flow.write(
        {
            "id": "a",
            "command": ["sh", "-c", number.format(4)],
            "only_if": ["sh", "-c", f"{number.format(2)} || exit 9"],
            "retries": 2,
            "retry_exit_codes": [1],
        }
    )
    assert attempts(flow.start("k", file), "a") == [
        (True, "FAILED", "exit code 9"),
        (True, "SUCCEEDED", None),
        (False, "FAILED", "exit code 1"),
        (False, "SUCCEEDED", None),
    ]


def test_a_retry_asks_again(flow: Flow, tmp_path: Path) -> None:
    """It does so for a step that runs again; one that keeps its outcome keeps its gate (9.7)."""
    flag = tmp_path / "flag"
    flag.touch()
    test = ["test", "-e", str(flag)]
    kept = {"id": "kept", "command": ["true"], "only_if": test}
    late = {"id": "b", "command": ["false"]}
    flow.start(
        "k", flow.write(kept, {"id": "a", "command": ["false"], "only_if": test}, late), code=1
    )
    a = {"id": "a", "command": ["true"], "only_if": test}
    other = flow.write({**kept, "only_if": ["false"]}, a, late)
    refused = flow.refusal("retry", "--run-key=k", f"--file={other}")
    assert refused["conflicts"] == ["step 'kept' keeps its outcome, but its only_if was changed"]
    flag.unlink()
    changed = flow.write(kept, a, {**late, "command": ["true"], "only_if": ["true"]})
    run = flow.ask("retry", "--run-key=k", f"--file={changed}")
    assert outcomes(run) == {"kept": "SUCCEEDED", "a": "SKIPPED", "b": "SUCCEEDED"}
    assert attempts(run, "a")[-1] == (True, "SKIPPED", None)
    assert len(attempts(run, "kept")) == 2
    assert attempts(run, "b") == [
        (False, "FAILED", "exit code 1"),
        (True, "SUCCEEDED", None),
        (False, "SUCCEEDED", None),
    ]


def shown(flow: Flow, *words: str) -> str:
    """Call the command, which must be content, and return what it prints."""
    finished = flow.run(*words)
    assert finished.returncode == 0, finished
    return finished.stdout


def test_explained(flow: Flow) -> None:
    """Each command says what the gate has answered, and in which attempt; `logs` has its words."""
    file = flow.write(
        {"id": "a", "command": ["echo", "ran"], "only_if": exits(0, "echo may run")},
        {"id": "b", "command": ["echo", "ran"], "only_if": exits(1, "echo may not")},
        {"id": "c", "command": ["echo", "ran"], "only_if": exits(3, "echo broken")},
        {"id": "d", "command": ["echo", "ran"], "only_if": ["true"], "when": "b"},
    )
    said = flow.run("start", "--run-key=k", file).stderr
    assert "c FAILED only_if: exit code 3, after printing:\nc | broken\n" in said
    a, b, c, d = flow.ask("explain", "--run-key=k", "--format=json")["steps"]
    assert a["reason"] == "attempt 2 succeeded; its only_if said yes (attempt 1)"
    assert b["reason"] == "its only_if said no: attempt 1 ended with exit code 1"
    assert c["reason"] == "only_if: exit code 3"
    assert d["reason"] == "b SKIPPED, so `b` is false"
    answers = [step["only_if"]["answer"] for step in (a, b, c, d)]
    assert answers == ["yes", "no", None, None]
    unasked = dict.fromkeys(("attempt", "status", "answer", "error"))
    assert d["only_if"] == {"command": ["true"], **unasked}
    assert (c["only_if"]["attempt"], c["only_if"]["status"]) == (1, "FAILED")
    assert shown(flow, "explain", "--run-key=k", "--format=table", "b") == (
        "b SKIPPED: its only_if said no: attempt 1 ended with exit code 1\n\n"
        "  only_if sh -c 'echo may not; exit 1': no (attempt 1)\n"
    )
    assert shown(flow, "explain", "--run-key=k", "--format=table", "d").endswith(
        "\n\n  only_if true: not asked yet\n"
    )
    reasons = [step["reason"] for step in flow.status("k")["steps"]]
    assert reasons[1:3] == [b["reason"], c["reason"]]
    assert shown(flow, "logs", "--run-key=k") == "a | ran\n"
    assert shown(flow, "logs", "--run-key=k", "--attempt=1") == (
        "a | may run\nb | may not\nc | broken\n"
    )
    assert flow.refusal("logs", "--run-key=k", "b")["error"] == (
        "step 'b' has no output: its only_if said no: attempt 1 ended with exit code 1; "
        "--attempt 1 shows what its only_if has printed"
    )


def test_told_while_it_runs(flow: Flow, gate: Gate) -> None:
    """The table, the reason and each line of progress say that an attempt is one at the gate."""
    file = flow.write({"id": "a", "command": ["true"], "only_if": gate.command()})
    runner = flow.spawn("start", "--progress=plain", "--run-key=k", file)
    gate.await_arrival()
    flow.await_job("k")
    table = shown(flow, "status", "--run-key=k", "--format=table")
    assert "a     > RUNNING  1/0 only_if  " in table
    assert flow.status("k")["steps"][0]["reason"] == "attempt 1 (only_if) is running"
    explained = flow.ask("explain", "--run-key=k", "a")["steps"][0]
    assert explained["reason"] == "attempt 1 (only_if) is running"
    gate.let_through()
    lines = [line.split(maxsplit=1)[1] for line in runner.completed().stderr.splitlines()]
    assert lines[:4] == [
        "a RUNNING attempt 1 (only_if)",
        "a attempt 1 (only_if) SUCCEEDED",
        "a RUNNING attempt 2",
        "a SUCCEEDED",
    ]
    assert "  2/0  " in shown(flow, "status", "--run-key=k", "--format=table")


def test_drawn(flow: Flow) -> None:
    """`graph` shows what is asked; what is too long is cut, and nothing of it is interpreted."""
    file = flow.write(
        {"id": "a", "command": ["true"], "only_if": ["test", "-e", '"x" <&']},
        {"id": "b", "command": ["true"], "only_if": ["test", "x" * 100], "when": "a"},
    )
    text = shown(flow, "graph", file)
    assert "1     a     at once, only if test -e '\"x\" <&'\n" in text
    assert "2     b     when a, only if test xxx" in text
    assert "x" * 60 not in text
    drawn = shown(flow, "graph", "--format=mermaid", file)
    assert "s0[\"a<br/>only if test -e '#quot;x#quot; #lt;#amp;'\"]" in drawn
    assert "only if test -e '\\\"x\\\" <&'" in shown(flow, "graph", "--format=dot", file)


CHAINS = [
    (["false"], "{a}", "{b}.passed", "SUCCEEDED"),
    (["false"], "{a} && first", "c && {b}.passed", "SUCCEEDED"),
    (["false"], "{a}", "{b}", "SKIPPED"),
    (["true"], "{a}.failed", "{b}.passed", "SKIPPED"),
    (["false"], "{a}.failed", "{b}.passed", "SKIPPED"),
    (["false"], "{a} && bad", "{b}.passed", "SKIPPED"),
    (["false"], "{a}.skipped && bad", "{b}.passed", "SKIPPED"),
    (["false"], "{a} || bad", "{b}.passed", "SUCCEEDED"),
    (exits(2), "{a}", "{b}.passed", "SKIPPED"),
]


def test_a_chain_of_optional_steps(flow: Flow) -> None:
    """A chain passes as a whole if only steps that passed without running broke it (rule 3.8)."""
    others = [("first", ["true"]), ("bad", ["false"]), ("c", ["true"])]
    steps: list[dict[str, Any]] = [{"id": name, "command": command} for name, command in others]
    for number, (gate, when, last, _) in enumerate(CHAINS):
        names = {"a": f"a{number}", "b": f"b{number}"}
        steps += [
            {"id": names["a"], "command": ["true"], "only_if": gate},
            {"id": names["b"], "command": ["true"], "when": when.format(**names)},
            {"id": f"last{number}", "command": ["true"], "when": last.format(**names)},
        ]
    run = flow.start("k", flow.write(*steps), code=1)
    lasts = [f"last{number}" for number, _ in enumerate(CHAINS)]
    ended = outcomes(run)
    assert [ended[name] for name in lasts] == [status for *_, status in CHAINS]
    reasons = {one["id"]: one["reason"] for one in flow.ask("explain", "k")["steps"]}
    for name in lasts:
        said = "as the optional steps before it" in reasons[name]
        assert said == (ended[name] == "SUCCEEDED")


def test_a_long_chain_of_optional_steps(flow: Flow) -> None:
    """However long it is, it passes, also for a runner that takes over."""
    chain = [{"id": f"s{n}", "command": ["true"], "when": f"s{n - 1}"} for n in range(1, 1500)]
    file = flow.write(
        {"id": "s0", "command": ["true"], "only_if": ["false"]},
        *chain,
        {"id": "last", "command": ["true"], "when": "s1499.passed"},
    )
    assert flow.start("k", file)["steps"][-1]["status"] == "SUCCEEDED"
    (last,) = flow.ask("explain", "--run-key=k", "last")["steps"]
    assert "s1499 SKIPPED as the optional steps before it" in last["reason"]


def test_a_command_where_the_gate_is_to_be_asked(flow: Flow) -> None:
    """It is a job of somebody else, and no answer, even if it is the step's own (rule 5.9)."""
    flow.orchesjob.start("k:a:1", "true", strict=True)
    flow.orchesjob.await_end("k:a:1")
    file = flow.write({"id": "a", "command": ["true"], "only_if": ["false"], "retries": 3})
    step = flow.start("k", file, code=1)["steps"][0]
    assert (step["status"], step["attempt_no"]) == ("FAILED", 1)
    assert "knows k:a:1 as another command, ['true'] and not ['false']" in step["error"]
