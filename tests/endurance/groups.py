"""Runs of one group whose runners are killed. Slow: the session `storm` runs it.

The seed is part of the test's name; `STORM_SEED` repeats it.
"""

import json
import os
import secrets
import shlex
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow
from support.processes import await_exit

RUNS = 50
SCRIPT = """\
mkdir {inside} || echo overlap >>{log}
echo "$ORCHESJOB_FLOW_RUN_KEY" >>{log}
rmdir {inside}
"""
EXCLUSIVE = """\
exec 9>>{lock}
flock -n 9 || echo "overlap $ORCHESJOB_FLOW_RUN_KEY" >>{log}
echo "$ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_RUN_KEY" >>{log}
sleep {seconds}
"""
"""Holds a lock as long as any process of the step lives, and notes who holds it already."""
LONGEST_STEP_SEC = 0.6
PIECES, ROUNDS = 20, 10
SEED = int(os.environ.get("STORM_SEED") or secrets.randbelow(10**6))


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
def test_a_crowd(real_flow: Flow, tmp_path: Path, seed: int) -> None:
    """One run at a time, each of them to its end, and nothing twice (rule 10.7)."""
    flow, random = real_flow, Random(seed)  # noqa: S311 - no secret
    log = tmp_path / "log"
    paths = {"log": shlex.quote(str(log)), "inside": shlex.quote(str(tmp_path / "inside"))}
    command = ["sh", "-c", SCRIPT.format_map(paths)]
    steps = {"id": "a", "command": command}, {"id": "b", "command": command, "when": "a"}
    file = flow.write(*steps, concurrency={})
    keys = [f"k{number}" for number in range(RUNS)]
    starts = [flow.spawn("start", "-d", f"--run-key={key}", file) for key in keys]
    for start in starts:
        _, stderr = start.communicate(timeout=RUNS * CALL_SEC)
        assert start.returncode == 0, stderr
    for _ in range(RUNS):
        kill_a_runner(flow, random)
        if random.random() < 1 / 2:
            flow.ask("resume", "--all")
    flow.ask("resume", "--all")
    for key in keys:
        run = flow.ask("wait", f"--run-key={key}", f"--timeout={RUNS * CALL_SEC}")
        assert run["status"] == "SUCCEEDED"
    said = log.read_text(encoding="utf-8").split()
    assert Counter(said) == dict.fromkeys(keys, 2)
    assert said[::2] == said[1::2], said


def replace_each_other(flow: Flow, folder: Path, name: str, random: Random) -> Counter[str]:
    """Start runs that replace those before them, kill runners meanwhile, and go on to the end.

    No two are under way at once; the newest SUCCEEDED; each other one has ended by itself or names
    its successor; `finally` of each that has begun ran once. Return how the runs ended, and the
    number of runners that were killed.
    """
    log = folder / f"{name}.log"
    log.touch()
    paths = {"log": shlex.quote(str(log)), "lock": shlex.quote(str(folder / "lock"))}

    def step(step_id: str) -> dict[str, object]:
        seconds = round(random.uniform(0, LONGEST_STEP_SEC), 2)
        script = EXCLUSIVE.format_map({**paths, "seconds": seconds})
        return {"id": step_id, "command": ["bash", "-c", script]}

    group = {"group": "replaced", "on_conflict": "replace"}
    file = flow.write(step("a"), name=f"{name}.json", concurrency=group, **{"finally": [step("z")]})
    keys = [f"{name}-{number}" for number in range(random.randint(2, 4))]
    starts, killed = [], 0
    for key in keys:
        starts.append(flow.spawn("start", "-d", f"--run-key={key}", file))
        if random.random() < 1 / 2:
            starts[-1].wait(timeout=CALL_SEC)
        time.sleep(random.uniform(0, LONGEST_STEP_SEC / 2))
        killed += random.random() < 1 / 2 and kill_a_runner(flow, random)
    for start in starts:
        start.communicate(timeout=len(keys) * CALL_SEC)
        assert start.returncode in (0, 2), start  # 2: its runner was killed too soon
    for _ in range(random.randint(0, 2)):
        killed += kill_a_runner(flow, random)
        if random.random() < 1 / 3:
            flow.run("resume", "--all")
    flow.run("resume", "--all")
    runs = [json.loads(flow.run("wait", key, f"--timeout={CALL_SEC}").stdout) for key in keys]
    said = Counter(log.read_text(encoding="utf-8").splitlines())
    assert not [line for line in said if line.startswith("overlap")], said
    with flow.open_database() as database:
        found = database.execute("SELECT run_key FROM runs ORDER BY id").fetchall()
    order = [key for (key,) in found if key in keys]
    assert sorted(order) == keys
    for run in runs:
        key = run["run_key"]
        later = order[order.index(key) + 1 :]
        begun = said[f"a {key}"] + said[f"z {key}"] > 0
        assert said[f"z {key}"] == int(begun), (key, said)
        assert said[f"a {key}"] <= 1, (key, said)
        if run["status"] == "CANCELLED":
            assert run["error"] in [f"replaced by run {other!r}" for other in later], run
        else:
            assert (run["status"], run["error"], begun) == ("SUCCEEDED", None, True), run
    (newest,) = [run for run in runs if run["run_key"] == order[-1]]
    assert newest["status"] == "SUCCEEDED", newest
    return Counter({"runs": len(keys), "killed": killed}) + Counter(run["status"] for run in runs)


def kill_a_runner(flow: Flow, random: Random) -> bool:
    """Kill the runner of one of the runs that have not ended, of one that waits or not.

    It is gone then, and its lock with it.
    """
    runs = flow.ask("list", "--status=PENDING", "--status=RUNNING")["runs"]
    pids = [run["runner"]["pid"] for run in runs if run["runner"] is not None]
    if pids and (pid := random.choice(pids)) is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            await_exit(pid)
            return True
    return False


@pytest.mark.integration
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("seed", [SEED])
def test_replaced(real_flow: Flow, tmp_path: Path, seed: int, piece: int) -> None:
    """200 rounds: the newest run remains, and `finally` of each run that began has run once."""
    random = Random(f"{seed} {piece}")  # noqa: S311 - no secret
    ended: Counter[str] = Counter()
    for number in range(ROUNDS):
        ended += replace_each_other(real_flow, tmp_path, f"r{number}", random)
    print(f"\n{ROUNDS} rounds, seed {seed}: {dict(ended)}")  # noqa: T201 - it is a figure
