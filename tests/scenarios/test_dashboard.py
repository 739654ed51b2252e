"""A dashboard reads JSON every ten seconds."""

import subprocess
import sys
from pathlib import Path

from support.command import Command
from support.files import contents
from support.flow import Flow
from support.gate import Gate

DASHBOARD = Path(__file__).parents[2] / "examples" / "scripts" / "dashboard.py"


def pages(text: str) -> list[list[str]]:
    return [page.splitlines()[1:] for page in text.split("\n\n") if page]


def test_a_dashboard(flow: Flow, gate: Gate) -> None:
    """A script that polls sees each run as it is, and changes nothing (9.5)."""
    file = flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": gate.command("false"), "when": "a"},
        {"id": "c", "command": ["true"], "when": "b"},
    )
    flow.start("before", flow.write({"id": "a", "command": ["true"]}, name="before.json"))
    flow.detach(file, gate)
    flow.await_job("k")
    words = [sys.executable, str(DASHBOARD), "--program", flow.program]

    def look(*options: str) -> Command:
        return Command(
            [*words, *options],
            env=flow.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    before = contents(flow.home, flow.orchesjob.home)
    shown, complaints = look("--pages=2", "--every-sec=0.01").communicate()
    page = ["k RUNNING 0/3", "    a RUNNING: attempt 1 is running", "before SUCCEEDED 1/1"]
    assert (pages(shown), complaints) == ([page, page], "")
    assert contents(flow.home, flow.orchesjob.home) == before

    sampling = look("--every-sec=0.01")
    gate.let_through(2)
    flow.ask("wait", "--run-key=k", code=1)
    flow.await_status("k", lambda run: run["runner"] is None)
    last, _ = look("--pages=1").communicate()
    sampling.kill()
    seen = [page[0] for page in pages(sampling.communicate()[0])[:-1]]
    assert set(seen) <= {f"k RUNNING {done}/3" for done in range(4)} | {"k FAILED 3/3"}
    assert seen == sorted(seen, key=lambda line: ("FAILED" in line, line))
    assert pages(last) == [["k FAILED 3/3", "    b FAILED: exit code 1", "before SUCCEEDED 1/1"]]
    assert flow.ask("doctor")["sound"]
