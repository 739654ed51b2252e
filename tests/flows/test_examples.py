"""The example flows that are shipped, run from the folder in which they are shipped."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.answers import outcomes
from support.flow import Flow

EXAMPLES = Path(__file__).parents[2] / "examples"
OK, NG, SKIP = "SUCCEEDED", "FAILED", "SKIPPED"
NAMES = sorted(path.name for path in EXAMPLES.glob("*.yaml") if ".test." not in path.name)
ENDS = {
    "alert-on-failure.yaml": ["--fail=load", "--skip=compress"],
    "branching-hello-failure-flow.yaml": ["--fail=A"],
    "nightly-backup.yaml": ["--skip=copy"],
    "release.yaml": ["--skip=publish"],
}
"""Which steps do not succeed by themselves; what follows from that, `simulate` says."""
PARAMS = {"daily-etl.yaml": ["--param=DAY=2026-05-07"]}


def test_every_example_is_known() -> None:
    """No example is shipped that is not run here."""
    files = {path.name for path in EXAMPLES.iterdir() if path.is_file()}
    cases = {name.replace(".yaml", ".test.yaml") for name in NAMES}
    assert files == {*NAMES, *cases, "databases.txt"}
    scripts = {path.name for path in (EXAMPLES / "scripts").glob("*.py")}
    assert scripts == {"dashboard.py", "hello_step.py", "hello_step_maybe_fail.py"}


@pytest.mark.parametrize("name", NAMES)
def test_outcomes(flow: Flow, name: str) -> None:
    """Each example ends step by step as its simulation does, whose cases hold (rule 11.3)."""
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    flow.environ["HELLO_FOR_SEC"] = "0"
    ends, given = ENDS.get(name, []), PARAMS.get(name, [])
    code = int("--fail" in str(ends))
    run = flow.ask("start", "--run-key=k", *given, f"examples/{name}", code=code)
    simulated = flow.ask("simulate", *ends, *given, f"examples/{name}", code=code)
    assert (run["status"], run["error"]) == (simulated["status"], simulated["error"])
    for one, foreseen in zip(run["steps"], simulated["steps"], strict=True):
        for key in ("id", "status", "attempt_no", "allowed"):
            assert one[key] == foreseen[key], one["id"]
    flow.await_true(lambda: not flow.orchesjob.processes())  # such as a server


def test_cases(flow: Flow) -> None:
    """The cases beside each example hold (rule 11.4); together they make every flow fail."""
    files = [str(EXAMPLES / name.replace(".yaml", ".test.yaml")) for name in NAMES]
    found = flow.ask("test", "--coverage", *files)
    assert found["failed"] == 0
    for file in found["files"]:
        statuses = {case["status"] for case in file["cases"]}
        assert statuses >= {OK, NG}, file["file"]
    for flow_of_file in found["coverage"]:
        assert flow_of_file["never_true"] == {}, flow_of_file["flow_id"]


def test_the_alert(flow: Flow) -> None:
    """The alert names the run and what failed in it (rule 9.13)."""
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    run = flow.ask(
        "start", "--run-key=k", "--env=SHOP=paris", "examples/alert-on-failure.yaml", code=1
    )
    said = {
        step["id"]: Path(step["orchesjob_status"]["stdout_file"]).read_text(encoding="utf-8")
        for step in run["steps"]
        if step["status"] == OK
    }
    assert said == {"fetch": "fetched the orders of paris\n", "alert": "k: load failed\n"}


def test_the_day_of_an_import(flow: Flow) -> None:
    """The day reaches scripts, words and a file name; without one, nothing begins (rule 10.2)."""
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    file = "examples/daily-etl.yaml"
    error = flow.refusal("start", "--run-key=k", "--param=SHOP=rome", file)["error"]
    assert error.splitlines() == [
        f"{file}: params.DAY: has no value (the day to import); give it one with --param DAY=VALUE",
        f'{file}: params.SHOP: must be one of "berlin", "paris", got "rome"',
    ]
    run = flow.ask("start", "--run-key=k", "--param=DAY=2026-05-07", file)
    log = Path(run["steps"][2]["orchesjob_status"]["stdout_file"])
    assert log.read_text(encoding="utf-8") == "3 orders of berlin on 2026-05-07\n"
    archived = (flow.folder / "orders-berlin-2026-05-07.csv").read_text(encoding="utf-8")
    assert archived.splitlines()[0] == "2026-05-07,berlin,order 1"


def test_the_backup_tidies_up(flow: Flow) -> None:
    """However it ends, nothing is left of it, and what another backup has is left alone (10.1)."""
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    file, lock, part = (
        "examples/nightly-backup.yaml",
        flow.folder / "backup.lock",
        flow.folder / "backup.tar.part",
    )
    flow.environ["BACKUP_SEC"] = "600"
    flow.ask("start", "-d", "--run-key=k", file)
    flow.await_true(part.exists)
    other = flow.start("other", file, code=1)
    skipped = ["pack", "keep", "copy", "record", "clean", "unlock"]
    assert outcomes(other) == dict.fromkeys(skipped, SKIP) | {"lock": NG, "alert": OK}
    assert part.exists()
    run = flow.ask("cancel", "--run-key=k")
    assert not part.exists()
    assert not lock.exists()
    alert = next(step for step in run["steps"] if step["id"] == "alert")
    log = Path(alert["orchesjob_status"]["stdout_file"])
    assert log.read_text(encoding="utf-8") == "CANCELLED \n"


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "<-11>11"])
def test_the_dumps(flow: Flow, zone: str) -> None:
    """One file for each database of the list, by name and local day, and nothing half-made (10.3).

    At any moment, one of these zones has another day than UTC (rule 9.13).
    """
    flow.environ["TZ"] = zone
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    run = flow.start("k", "examples/database-dumps.yaml")
    date = ["date", "-d", f"@{int(run['started_at'])}", "+%F"]
    day = subprocess.check_output(date, env=flow.environ, text=True).strip()
    names = (EXAMPLES / "databases.txt").read_text(encoding="utf-8").split()
    dumps = {path.name for path in (flow.folder / "dumps").iterdir()}
    assert dumps == {f"{name}-{day}.sql.gz" for name in names}


def test_the_list_is_refreshed_when_it_is_old(flow: Flow) -> None:
    """A young one is left alone; where the service refuses a new one, the old is back (10.8)."""
    shutil.copytree(EXAMPLES, flow.folder / "examples")
    file, blocklist = "examples/refresh-blocklist.yaml", flow.folder / "blocklist.txt"
    first = flow.start("first", file)
    fetched = blocklist.read_text(encoding="utf-8")
    assert set(outcomes(flow.start("again", file)).values()) == {SKIP}
    blocklist.write_text("10.0.0.0/8\n", encoding="utf-8")
    os.utime(blocklist, (0, 0))
    flow.environ["RELOAD"] = "false"
    run = flow.start("refused", file, code=1)
    assert outcomes(run) == outcomes(first) | {"reload": NG, "put-back": OK, "alert": OK}
    assert blocklist.read_text(encoding="utf-8") == "10.0.0.0/8\n" != fetched
