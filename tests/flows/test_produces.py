"""`produces`: a step whose command exits with 0 without its files FAILED (rule 10.10)."""

import os
from pathlib import Path

from support.answers import errors, outcomes
from support.flow import Flow
from support.gate import Gate


def shell(text: str) -> list[str]:
    return ["sh", "-c", text]


def test_what_becomes_of_a_step(flow: Flow, tmp_path: Path) -> None:
    """What was not written fails an attempt, and is retried after any exit code."""
    old = tmp_path / "old.csv"
    old.write_text("x", encoding="utf-8")
    os.utime(old, (0, 0))
    (tmp_path / "within").mkdir()
    once = '[ "$ORCHESJOB_FLOW_ATTEMPT" = 1 ] || echo x > again.csv'
    file = flow.write(
        {"id": "good", "command": shell("echo x > out.csv"), "produces": ["out.csv"]},
        {"id": "bad", "command": ["true"], "produces": ["none.csv"], "retry_exit_codes": [75]},
        {"id": "old", "command": ["true"], "produces": ["old.csv"]},
        {"id": "again", "command": shell(once), "produces": ["again.csv"], "retries": 1},
        {"id": "skips", "command": shell("exit 4"), "produces": ["n"], "skip_exit_codes": [4]},
        {
            "id": "within",
            "command": shell("mkdir parts; echo x > parts/a; : > done"),
            "produces": ["parts", "${{ P }}", {"path": "done", "empty": True}],
            "working_dir": "within",
        },
        params={"P": "parts/a"},
    )
    flow.environ["TZ"] = "UTC"
    run = flow.start("k", file, code=1)
    assert errors(run) == [
        ("good", "SUCCEEDED", None),
        ("bad", "FAILED", "has not written none.csv: there is no such file"),
        ("old", "FAILED", "has not written old.csv, which is from 1970-01-01 00:00"),
        ("again", "SUCCEEDED", None),
        ("skips", "SKIPPED", None),
        ("within", "SUCCEEDED", None),
    ]
    checks = flow.ask("doctor")["checks"]
    assert checks[-1]["message"] == "7 of 7 attempts match orchesjob's records"


def test_later_runners(flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """The next runner compares with what was there before the command."""
    steps = []
    for name, then in (("writes", "echo x > writes"), ("leaves", "true")):
        (tmp_path / name).write_text("old", encoding="utf-8")
        steps.append({"id": name, "command": gate.command(then), "produces": [name]})
    file = flow.write(*steps)
    flow.abandon(file, gate)
    gate.await_arrival()
    gate.let_through(2)
    assert outcomes(flow.start("k", file, code=1)) == {"writes": "SUCCEEDED", "leaves": "FAILED"}
    for path in flow.home.glob("*.sqlite3*"):
        path.unlink()
    assert set(outcomes(flow.start("k", file)).values()) == {"SUCCEEDED"}
