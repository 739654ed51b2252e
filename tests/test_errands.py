"""What people come for, each errand from its beginning to its end, on the real orchesjob."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Flow, Gate

pytestmark = pytest.mark.integration

DASHBOARD = Path(__file__).parent.parent / "examples" / "scripts" / "dashboard.py"
DAY = 86400


def shell(flow: "Flow", script: str) -> list[str]:
    """Return the command of a step that first puts down that it has begun."""
    return ["sh", "-c", f'echo "$ORCHESJOB_FLOW_STEP" >> {flow.folder}/begun; {script}']


def begun(flow: "Flow") -> list[str]:
    """Return the steps that have begun, in that order and as often as they have."""
    return (flow.folder / "begun").read_text(encoding="utf-8").split()


def change(flow: "Flow", statement: str, *values: object) -> None:
    """Change the flow database by hand."""
    with closing(sqlite3.connect(flow.database, timeout=30, autocommit=True)) as database:
        assert database.execute(statement, values).rowcount > 0


def outcomes(run: Any) -> dict[str, str]:
    return {step["id"]: step["status"] for step in run["steps"]}


def keys(answer: Any, name: str = "runs") -> list[str]:
    return [run["run_key"] for run in answer[name]]


# Cron starts a nightly run, the host reboots in the middle, a cron line every minute carries it on.


def use_crontab(flow: "Flow") -> None:
    """Give the command cron's own environment, and the one variable that the crontab sets.

    Two more are the tests' own: by one they end what is left over, by the other bugs are planted.
    """
    ours = {"ORCHESJOB_TEST_MARK", "PYTHONPATH"}
    flow.environ = {
        **{name: text for name, text in flow.environ.items() if name in ours},
        "HOME": str(flow.folder),
        "LOGNAME": "me",
        "PATH": "/usr/bin:/bin",
        "SHELL": "/bin/sh",
        "ORCHESJOB_HOME": str(flow.orchesjob.home),
    }
    flow.home = flow.orchesjob.home
    flow.database = flow.home / "orchesjob-flow.sqlite3"


def cron(flow: "Flow", words: str) -> subprocess.Popen[str]:
    """Run a line of the crontab as cron does: no terminal, no session of a user."""
    return subprocess.Popen(
        ["/bin/sh", "-c", f"{flow.program} {words} > /dev/null"],
        cwd=flow.folder,
        env=flow.environ,
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def assert_no_mail(*lines: subprocess.Popen[str]) -> None:
    """Wait for lines of the crontab: cron sends no mail about any."""
    for line in lines:
        assert (*line.communicate(timeout=60), line.returncode) == ("", "", 0)


def is_running(step: Any) -> bool:
    """Tell whether it is recorded which process is the step's command."""
    return bool((step["orchesjob_status"] or {}).get("target_pid"))


def reboot(flow: "Flow", run: Any, step: int) -> None:
    """End what a reboot ends, with no chance to say a word.

    A machine has one boot id until it really boots; so it is the recorded one that becomes another.
    """
    job = run["steps"][step]["orchesjob_status"]
    pids = run["runner"]["pid"], job["worker_pid"], job["target_pid"]
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    for pid in pids:
        flow.orchesjob.await_exit(pid)
    change(flow, "UPDATE attempts SET boot_id = 'an earlier one'")


def test_a_night_with_a_reboot(real_flow: "Flow", gate: "Gate") -> None:
    """Cron starts the run once, and carries it on after a reboot; no success is repeated (9.8)."""
    use_crontab(real_flow)
    load = shell(real_flow, gate.command()[-1])
    file = real_flow.write(
        {"id": "fetch", "command": shell(real_flow, "true")},
        {"id": "load", "command": load, "when": "fetch", "retries": 1},
        {"id": "report", "command": shell(real_flow, "true"), "when": "load"},
    )
    key = "nightly-2026-05-07"
    nightly = f"start --run-key {key} -d {file}"
    assert_no_mail(cron(real_flow, nightly))
    gate.await_arrival()
    assert_no_mail(
        cron(real_flow, nightly), cron(real_flow, "resume --all")
    )  # ten minutes later, nothing
    run = real_flow.await_status(key, lambda run: is_running(run["steps"][1]))
    reboot(real_flow, run, step=1)

    assert_no_mail(*(cron(real_flow, "resume --all") for _ in range(3)))
    gate.await_arrival()
    gate.let_through()
    run = real_flow.ask("wait", f"--run-key={key}")
    assert outcomes(run) == dict.fromkeys(("fetch", "load", "report"), "SUCCEEDED")
    lost, second = run["steps"][1]["attempts"]
    assert lost["error"].startswith("outcome unknown")
    assert (lost["number"], second["number"], second["status"]) == (1, 2, "SUCCEEDED")
    assert Counter(begun(real_flow)) == {"fetch": 1, "load": 2, "report": 1}

    real_flow.await_status(key, lambda run: run["runner"] is None)
    before = real_flow.database.read_bytes()
    assert_no_mail(cron(real_flow, "resume --all"), cron(real_flow, nightly))
    assert real_flow.database.read_bytes() == before
    assert len(begun(real_flow)) == 4


# A step failed at night.


def test_the_morning_after(real_flow: "Flow") -> None:
    """Find the run, the step, its words; mend the file and go on, with both attempts kept (9.7)."""
    fetch = {"id": "fetch", "command": shell(real_flow, "echo 120 orders")}
    load = {"id": "load", "when": "fetch"}
    report = {"id": "report", "when": "load", "command": shell(real_flow, "true")}
    wrong = shell(real_flow, "echo loading; echo 'no table order' >&2; exit 3")
    real_flow.start("fine", real_flow.write(fetch))
    real_flow.start("night", real_flow.write(fetch, {**load, "command": wrong}, report), code=1)

    (run,) = real_flow.ask("list", "--status=FAILED")["runs"]
    assert (run["run_key"], run["error"]) == ("night", "1 step failed: load")
    _, shown = real_flow.run_on_terminal("list", "--status", "failed")
    assert ["night" in line for line in shown.splitlines()[2:]] == [True]
    assert outcomes(real_flow.status("night"))["load"] == "FAILED"
    _, shown = real_flow.run_on_terminal("explain", "--run-key=night")
    assert "load FAILED: exit code 3;" in shown
    assert "report SKIPPED: `load` is false (load FAILED)" in shown
    assert real_flow.run("logs", "--run-key=night", "load").stdout == "loading\nno table order\n"

    mended = real_flow.write(
        fetch, {**load, "command": shell(real_flow, "echo loaded")}, report, name="mended.json"
    )
    real_flow.ask("retry", "--run-key=night", "--file", mended)
    run = real_flow.status("night")
    assert outcomes(run) == dict.fromkeys(("fetch", "load", "report"), "SUCCEEDED")
    attempts = run["steps"][1]["attempts"]
    assert [(one["run_key"], one["status"], one["error"]) for one in attempts] == [
        ("night:load:1", "FAILED", "exit code 3"),
        ("night:load:2", "SUCCEEDED", None),
    ]
    assert begun(real_flow)[1:] == ["fetch", "load", "load", "report"]
    first = real_flow.run("logs", "--run-key=night", "load", "--attempt=1", "--stream=stderr")
    assert first.stdout == "no table order\n"
    assert real_flow.ask("list", "--status=FAILED") == {"runs": []}


# "Why has `import` not started?"


def test_why_it_has_not_started(real_flow: "Flow", gate: "Gate") -> None:
    """The answer names what is waited for, then that nobody advances the run (rule 9.4)."""
    file = real_flow.write(
        {"id": "download", "command": gate.command()},
        {"id": "check", "command": ["true"]},
        {"id": "import", "command": ["true"], "when": "download && check"},
    )
    runner = real_flow.spawn("start", "--run-key=k", file)
    gate.await_arrival()
    real_flow.await_status("k", lambda run: outcomes(run)["check"] == "SUCCEEDED")

    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import")
    answer, *_ = said.splitlines()
    assert answer == (
        "import PENDING: waits for download RUNNING; `download && check` is undecided: "
        "`download` is undecided (download RUNNING), `check` is true (check SUCCEEDED)"
    )
    explained = real_flow.ask("explain", "--run-key=k", "import")
    (step,) = explained["steps"]
    assert (step["id"], step["status"]) == ("import", "PENDING")
    assert {one["id"]: one["status"] for one in step["waits_for"]} == {
        "download": "RUNNING",
        "check": "SUCCEEDED",
    }
    assert step["condition"]["value"] is None
    assert [part["value"] for part in step["condition"]["children"]] == [None, True]

    assert real_flow.await_job("k")
    runner.kill()
    runner.wait()
    gate.let_through()
    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import")
    assert "Nobody advances this run: `orchesjob-flow resume`" in said
    assert real_flow.ask("explain", "--run-key=k", "import")["runner"] is None
    real_flow.ask("resume", "--run-key=k")
    _, said = real_flow.run_on_terminal("explain", "--run-key=k", "import")
    assert said.startswith("import SUCCEEDED: attempt 1 succeeded; `download && check` is true")


# Last month's runs are tidied away.


def test_tidying_away(real_flow: "Flow", gate: "Gate") -> None:
    """What ended long ago goes, with logs and locks; what is young or under way stays (9.10)."""
    file = real_flow.write({"id": "a", "command": shell(real_flow, "true")})
    for key in ("march", "april", "may"):
        real_flow.ask("start", "-d", f"--run-key={key}", file)
        real_flow.ask("wait", f"--run-key={key}")
        real_flow.await_status(key, lambda run: run["runner"] is None)
    waiting = real_flow.write({"id": "a", "command": gate.command()}, name="waiting.json")
    real_flow.ask("start", "-d", "--run-key=live", waiting)
    gate.await_arrival()
    aged = "UPDATE runs SET started_at = started_at - ?, finished_at = finished_at - ?"
    for key, days in (("april", 31), ("march", 62), ("live", 40)):
        values = (days * DAY, days * DAY, key)
        change(real_flow, f"{aged} WHERE run_key = ?", *values)

    prune = ("prune", "--older-than", "30d")
    code, shown = real_flow.run_on_terminal(*prune, "--dry-run", "--format=table")
    assert (code, [line.split()[0] for line in shown.splitlines()]) == (0, ["april", "march", "2"])
    assert len(keys(real_flow.ask("list"))) == 4
    assert keys(real_flow.ask(*prune), "removed") == ["april", "march"]
    assert set(keys(real_flow.ask("list"))) == {"may", "live"}
    left = {
        path.name for folder in ("locks", "logs") for path in (real_flow.home / folder).iterdir()
    }
    assert left == {
        *("may.lock", "may.calls", "live.lock", "live.calls"),
        *(f"orchesjob-flow-{k}.{s}.log" for k in ("may", "live") for s in ("stdout", "stderr")),
    }
    assert keys(real_flow.ask(*prune), "removed") == []
    gate.let_through()
    assert real_flow.ask("wait", "--run-key=live")["status"] == "SUCCEEDED"
    assert real_flow.ask("doctor")["sound"]


# Did what this tool says really happen?


def ledgers(flow: "Flow", *, code: int) -> list[tuple[str, str]]:
    """Return what `doctor` finds in the ledgers, without explanations and advice."""
    found = [one for one in flow.ask("doctor", code=code)["checks"] if one["check"] == "ledgers"]
    return [(one["verdict"], re.split(", started| \\(", one["message"])[0]) for one in found]


def test_an_audit(real_flow: "Flow") -> None:
    """`doctor` vouches for what orchesjob confirms, and names each attempt that it does not."""
    steps = [{"id": name, "command": shell(real_flow, "true")} for name in ("a", "b", "c")]
    run = real_flow.start("k", real_flow.write(*steps, {"id": "d", "command": ["false"]}), code=1)
    assert ledgers(real_flow, code=0) == [("ok", "4 of 4 attempts are as orchesjob says")]

    real_flow.orchesjob.plant("k:a:1", status="FAILED", exit_code=7)
    (database,) = real_flow.orchesjob.home.glob("*orchesjob.db")
    with closing(sqlite3.connect(database, timeout=30, autocommit=True)) as theirs:
        theirs.execute("DELETE FROM jobs WHERE run_key IN ('k:b:1', 'k:c:1')")
    real_flow.orchesjob.start("k:b:1", "true")
    assert ledgers(real_flow, code=1) == [
        ("problem", "k:a:1 is SUCCEEDED here, and FAILED with exit code 7 at orchesjob"),
        ("problem", "k:b:1 is SUCCEEDED here; orchesjob has another job of that key"),
        ("note", "k:c:1 is SUCCEEDED here; orchesjob no longer knows it"),
        ("problem", "1 of 4 attempts are as orchesjob says; 1 it no longer knows"),
    ]
    code, shown = real_flow.run_on_terminal("doctor", "--run-key=k", "--format=table")
    assert (code, shown.count("NG  ledgers: k:")) == (1, 2)
    assert real_flow.status("k") == run


# A dashboard reads JSON every ten seconds.


def contents(flow: "Flow") -> dict[str, bytes]:
    """Return all that lies in both homes, but for the index that SQLite's readers share."""
    paths = [path for home in (flow.home, flow.orchesjob.home) for path in home.rglob("*")]
    return {
        str(path): path.read_bytes()
        for path in paths
        if path.is_file() and not path.name.endswith("-shm")
    }


def pages(text: str) -> list[list[str]]:
    """Return the pages that the dashboard has printed, each without its time."""
    return [page.splitlines()[1:] for page in text.split("\n\n") if page]


def test_a_dashboard(real_flow: "Flow", gate: "Gate") -> None:
    """A script that asks again and again sees each run as it is, and changes nothing (9.5)."""
    file = real_flow.write(
        {"id": "a", "command": gate.command()},
        {"id": "b", "command": gate.command("false"), "when": "a"},
        {"id": "c", "command": ["true"], "when": "b"},
    )
    real_flow.start("before", real_flow.write({"id": "a", "command": ["true"]}, name="before.json"))
    real_flow.ask("start", "-d", "--run-key=k", file)
    gate.await_arrival()
    real_flow.await_job("k")
    words = [sys.executable, str(DASHBOARD), "--program", real_flow.program]

    def look(*options: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*words, *options],
            env=real_flow.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    before = contents(real_flow)
    shown, complaints = look("--pages=2", "--every-sec=0.01").communicate(timeout=60)
    page = ["k RUNNING 0/3", "    a RUNNING: attempt 1 is running", "before SUCCEEDED 1/1"]
    assert (pages(shown), complaints) == ([page, page], "")
    assert contents(real_flow) == before

    sampling = look("--every-sec=0.01")
    gate.let_through(2)
    real_flow.ask("wait", "--run-key=k", code=1)
    real_flow.await_status("k", lambda run: run["runner"] is None)
    last, _ = look("--pages=1").communicate(timeout=60)
    sampling.kill()
    seen = [page[0] for page in pages(sampling.communicate()[0])[:-1]]
    assert set(seen) <= {f"k RUNNING {done}/3" for done in range(4)} | {"k FAILED 3/3"}
    assert seen == sorted(seen, key=lambda line: ("FAILED" in line, line))
    assert pages(last) == [["k FAILED 3/3", "    b FAILED: exit code 1", "before SUCCEEDED 1/1"]]
    assert real_flow.ask("doctor")["sound"]
