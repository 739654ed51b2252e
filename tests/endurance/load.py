"""Many runs at once, and a long history. Slow: the session `load` runs it and shows the figures."""

import os
import select
import shlex
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from random import Random
from statistics import median

import pytest

from flow_store import FlowStore, RunStatus
from support.flow import Flow
from support.gate import Gate

RUNS = 200
BUSY_AT_ONCE = 2 * (os.cpu_count() or 1)
LONGEST_ANSWER_SEC = 1.0
BETWEEN_QUESTIONS_SEC = 0.5
PLAIN_AT_ONCE = 4
MOST_TIMES_DEARER = 2.4
"""A run makes two calls then, and each waits some 15 ms for the kernel to enter its cgroup."""
HISTORY = 100_000
ROUNDS = 25
MOST_TIMES_SLOWER = 1.2
SHORTEST_SEC = 1e-4
"""What takes less counts as this much: a table that is deeper by one page may be seen in it."""
COUNTED = 5_000
FIGURE_ROUNDS = 5
MOST_TIMES_LONGER = 1.5


def show(figure: str) -> None:
    print(f"\n  {figure}")  # noqa: T201 - that is what it is for


def spell(samples: list[float]) -> str:
    return f"median {median(samples):.3f} s, worst {max(samples):.3f} s of {len(samples)}"


def seconds(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def count_alive(ends: list[int]) -> int:
    """Count the processes that live, given a pidfd of each; forget the others."""
    for end in select.select(ends, [], [], 0)[0]:
        ends.remove(end)
        os.close(end)
    return len(ends)


def read_words(path: Path) -> Counter[str]:
    return Counter(path.read_text(encoding="utf-8").split())


@pytest.mark.integration
@pytest.mark.parametrize("orchesjob", ["real"], indirect=True)
def test_two_hundred_at_once(each_flow: Flow, gate: Gate, tmp_path: Path) -> None:
    """200 background runs whose first steps end in the same moment all succeed (5.7, 5.11)."""
    log = tmp_path / "log"
    tell = ("sh", "-c", f"echo $0 >>{shlex.quote(str(log))}")
    file = each_flow.write(
        {"id": "a", "command": gate.command(shlex.join([*tell, "a"]))},
        {"id": "b", "command": [*tell, "b"], "when": "a"},
    )
    keys = [f"k{number}" for number in range(RUNS)]
    random = Random(20260507)  # noqa: S311 - no secret

    def start(key: str) -> int:
        return os.pidfd_open(each_flow.ask("start", "-d", f"--run-key={key}", file)["pid"])

    def ask_any() -> float:
        return seconds(lambda: each_flow.status(random.choice(keys)))

    with ThreadPoolExecutor(BUSY_AT_ONCE) as pool:
        runners = list(pool.map(start, keys))
    for _ in keys:
        gate.await_arrival()
    assert count_alive(runners) == RUNS

    began = time.monotonic()
    gate.let_through(RUNS)
    answers = []
    while count_alive(runners):
        answers.append(ask_any())
        time.sleep(BETWEEN_QUESTIONS_SEC)  # a person asks now and then, and is no load
    crowd_sec = time.monotonic() - began
    plain_sec = seconds(lambda: start_plainly(each_flow, keys, [*tell, "plain"]))
    show(f"{RUNS} runs that went on at one moment: {1000 * crowd_sec / RUNS:.0f} ms for each")
    show(f"a plain start, {PLAIN_AT_ONCE} at a time: {1000 * plain_sec / RUNS:.0f} ms")
    show(f"status meanwhile: {spell(answers)}")

    assert Counter(each_flow.status(key)["status"] for key in keys) == {"SUCCEEDED": RUNS}
    assert read_words(log) == {"a": RUNS, "b": RUNS, "plain": RUNS}
    assert median(answers) < LONGEST_ANSWER_SEC
    assert crowd_sec <= MOST_TIMES_DEARER * plain_sec


def start_plainly(flow: Flow, keys: list[str], command: list[str]) -> None:
    """Start a job for each key with nothing but orchesjob, in a home of its own."""
    words = ["start", "--strict", "--run-key={}", "--", *command]
    subprocess.run(
        ["xargs", f"-P{PLAIN_AT_ONCE}", "-I{}", flow.orchesjob.path, *words],  # noqa: S607 - that of PATH
        input="\n".join(keys),
        env={**flow.environ, "ORCHESJOB_HOME": str(flow.folder / "plain")},
        stdout=subprocess.DEVNULL,
        text=True,
        check=True,
    )


def multiply(database: Path, count: int = HISTORY) -> None:
    """Copy the first run, and all that is recorded of it, until there are so many."""
    replaced = {
        "runs": {"id": "copy", "run_key": "'run-' || copy"},
        "definitions": {"run_id": "copy"},
        "steps": {"run_id": "copy"},
        "attempts": {"run_id": "copy"},
    }
    with closing(sqlite3.connect(database)) as connection:
        for table, columns in replaced.items():
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(columns.get(name, name) for name in names)
            number = next(iter(columns))
            connection.execute(
                f"WITH RECURSIVE copies (copy) AS (SELECT max({number}) + 1 FROM {table}"  # noqa: S608 - own names
                " UNION ALL SELECT copy + 1 FROM copies WHERE copy < ?)"
                f" INSERT INTO {table} SELECT {values} FROM copies, {table} WHERE {number} = 1",
                (count,),
            )
        connection.commit()


def times_slower(action: Callable[[str, int], object]) -> float:
    """Time an action with the long history and with none, in turns; return the median ratio.

    It is told which of the two, and the number of the round.
    """
    ratios = []
    for number in range(ROUNDS):
        taken = {}
        for history in ("long", "none") if number % 2 else ("none", "long"):
            taken[history] = seconds(partial(action, history, number))
        ratios.append(taken["long"] / max(taken["none"], SHORTEST_SEC))
    return median(ratios)


def test_hundred_thousand_runs(flow: Flow) -> None:
    """A history of 100,000 runs makes nothing slower by more than a fifth (1.2, 6.3, 6.4)."""
    file = flow.write({"id": "a", "command": ["true"]})
    homes = {"none": flow.folder / "none", "long": flow.folder / "long"}
    databases = {history: home / flow.database.name for history, home in homes.items()}

    def call(history: str, *words: str) -> None:
        environ = {**flow.environ, "ORCHESJOB_FLOW_HOME": str(homes[history])}
        flow.run(*words, env=environ).check_returncode()

    for history in homes:
        call(history, "start", f"--run-key={history}", file)
    multiply(databases["long"])
    show(f"{HISTORY} runs take {databases['long'].stat().st_size / 1e6:.0f} MB")
    known = {"none": "none", "long": f"run-{HISTORY // 2}"}
    stores = {history: FlowStore.open(path) for history, path in databases.items()}

    def create(history: str, number: int) -> None:
        assert stores[history].create(
            run_key=f"new-{number}",
            flow_id="f",
            definition="{}",
            directory="/",
            flow_dir="/",
            orchesjob_home="/srv/jobs",
            started_at=1.0,
            steps=[("a", 0)],
        )

    actions: dict[str, Callable[[str, int], object]] = {
        "start": lambda history, number: call(
            history, "start", f"--run-key={history}-{number}", file
        ),
        "status": lambda history, _: call(history, "status", f"--run-key={known[history]}"),
        "list": lambda history, _: call(history, "list", "--limit=1"),
        "list of what failed": lambda history, _: call(history, "list", "--status=FAILED"),
        "resume --all": lambda history, _: call(history, "resume", "--all"),
        "FlowStore.runs": lambda history, _: stores[history].runs(limit=1),
        "FlowStore.runs of one flow": lambda history, _: stores[history].runs(flow_id="f", limit=1),
        "FlowStore.runs of one status": lambda history, _: stores[history].runs(
            statuses=[RunStatus.SUCCEEDED], limit=1
        ),
        "FlowStore.open": lambda history, _: FlowStore.open(databases[history]).close(),
        "FlowStore.create": create,
        "FlowStore.load": lambda history, _: stores[history].load(known[history]),
        "FlowStore.attempts": lambda history, _: stores[history].attempts(known[history]),
        "FlowStore.cancel_request": lambda history, _: stores[history].cancel_request(
            known[history]
        ),
        "FlowStore.checkpoint": lambda history, _: stores[history].checkpoint(),
    }
    slower = {name: times_slower(action) for name, action in actions.items()}
    for store in stores.values():
        store.close()
    for name, times in slower.items():
        show(f"{name} with {HISTORY} runs / with one: {times:.2f}")
    assert max(slower.values()) <= MOST_TIMES_SLOWER


def test_figures_of_hundred_thousand_runs(flow: Flow) -> None:
    """The newest 5,000 runs are read, which takes little longer beside 95,000 others (12.2)."""
    chain = ({"id": "a"}, {"id": "b", "when": "a"}, {"id": "c", "when": "b"})
    flow.start("k", flow.write(*({**step, "command": ["true"]} for step in chain)))
    taken: dict[tuple[str, int], float] = {}
    for history in (COUNTED, HISTORY):
        multiply(flow.database, history)
        for line in ("stats", "metrics"):
            times = [seconds(partial(flow.run, line)) for _ in range(FIGURE_ROUNDS)]
            show(f"{line} of {history} runs of {len(chain)} steps: {spell(times)}")
            taken[line, history] = median(times)
        found = flow.ask("stats")
        assert [figures["runs"] for figures in found["flows"]] == [COUNTED]
        assert found["truncated"] == (history > COUNTED)
    for line in ("stats", "metrics"):
        assert taken[line, HISTORY] < MOST_TIMES_LONGER * taken[line, COUNTED]
