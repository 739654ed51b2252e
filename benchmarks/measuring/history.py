"""What it costs that much is recorded: many runs, and large ones."""

import itertools
import json
import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from threading import Event, Thread

from flow_spec import load_flow
from flow_store import Attempt, AttemptStatus, Changes, FlowStore, RunHeader, RunStatus
from measuring import flows
from measuring.figures import Figure, interleave, ratios
from measuring.workplace import NEAR_FREE, OWN_USAGE, Workplace, run, seconds

STEPS = 3
OLD_JOBS = 10_000
JOBS_SEC = 60
"""How long after each other the jobs of a long history have ended."""

LONG_AGO = 100.0
TEXT = 600
"""How many characters the definition of a run has."""


def pruning(place: Workplace) -> list[Figure]:
    """Measure `prune` of half of many runs, while another process records a run now and then."""
    count = 20_000 if place.quick else 100_000
    with place.home() as environment:
        database = Path(environment["ORCHESJOB_FLOW_HOME"]) / "orchesjob-flow.sqlite3"
        database.parent.mkdir(mode=0o700)
        record_many(database, count)
        size, log = database.stat().st_size, database.with_name(f"{database.name}-wal")
        plain = seconds_of_one_delete(database)
        waited: list[float] = []
        logs = [0]
        with (
            repeated(lambda: waited.append(record_one(database, len(waited))), 0.05),
            repeated(lambda: logs.append(log.stat().st_size if log.exists() else 0), 0.005),
        ):
            began = time.perf_counter()
            run([place.flow, "prune", "--older-than=30d", "--format=table"], environment)
            taken = time.perf_counter() - began
        left = database.stat().st_size
    half = f"{count // 2:,} of {count:,} runs"
    return [
        Figure(
            f"prune of {half}",
            [taken],
            30.0,
            unit=" s",
            note=f"one DELETE of them in a copy takes {plain:.2f} s",
        ),
        Figure(
            f"the longest wait of another writer, prune of {half}",
            waited,
            0.3,
            unit=" s",
            worst=True,
            note=f"{len(waited)} runs were recorded meanwhile",
        ),
        Figure(
            f"the write-ahead log at its largest, prune of {half}",
            [max(logs) / 1e6],
            100.0,
            unit=" MB",
            note=f"the database had {size / 1e6:.0f} MB before",
        ),
        Figure(f"the database after / before, prune of {half}", [left / size], 0.6),
    ]


def old_jobs(place: Workplace) -> list[Figure]:
    """Compare a run with a home of its own, beside many old jobs, with one in a new home."""
    flow = place.write(flows.chain(10))
    numbers = itertools.count()
    with place.home() as crowded:
        run([place.orchesjob, "start", "--run-key=old", "--", "true"], crowded)
        copy_jobs(Path(crowded["ORCHESJOB_HOME"]) / "orchesjob.db", OLD_JOBS)

        def start(environment: Mapping[str, str], *options: str) -> float:
            words = [place.flow, "start", f"--run-key=run-{next(numbers)}", *options, flow]
            return seconds(words, environment)

        def in_a_new_home() -> float:
            with place.home() as empty:
                return start(empty)

        taken = interleave(
            place.rounds(10),
            {
                "own": lambda: start(crowded, "--jobs=own"),
                "shared": lambda: start(crowded),
                "new": in_a_new_home,
            },
        )
    shared = min(taken["shared"]) / min(taken["new"])
    return [
        Figure(
            f"10 steps beside {OLD_JOBS:,} old jobs with --jobs own / in a new home",
            ratios(taken["own"], taken["new"]),
            1.05,
            note=f"{min(taken['own']):.2f} s against {min(taken['new']):.2f} s at their fastest;"
            f" without --jobs own {shared:.1f} times as long as in a new home",
        )
    ]


def cleaning(place: Workplace) -> list[Figure]:
    """Measure `prune` of a night's jobs in a home of many."""
    count, night = (5_000, 10) if place.quick else (50_000, 100)
    with place.home() as environment:
        run([place.orchesjob, "start", "--run-key=old", "--", "true"], environment)
        home = Path(environment["ORCHESJOB_HOME"])
        job_id = copy_jobs(home / "orchesjob.db", count)
        database = Path(environment["ORCHESJOB_FLOW_HOME"]) / "orchesjob-flow.sqlite3"
        database.parent.mkdir(mode=0o700)
        record_attempts(database, home, job_id, night // STEPS)
        call = [place.orchesjob, "status", "--running"]
        before = seconds(call, environment)
        began = time.perf_counter()
        run([place.flow, "prune", "--older-than=30d", "--format=table"], environment)
        taken = time.perf_counter() - began
        after = seconds(call, environment)
    return [
        Figure(
            f"prune of {night // STEPS * STEPS} attempts in a home of {count:,} jobs",
            [taken],
            unit=" s",
            note=f"a call took {before:.2f} s before and {after:.2f} s after",
        )
    ]


def record_attempts(database: Path, home: Path, job_id: str, runs: int) -> None:
    """Record runs of the jobs that `copy_jobs` has made of this one."""
    record_many(database, 2 * runs)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("DELETE FROM runs WHERE finished_at <> ?", (LONG_AGO,))
        connection.execute(
            "UPDATE runs SET orchesjob_home = ?, run_key = replace(run_key, 'run', '')",
            (os.fsencode(home),),
        )
        connection.execute(
            "WITH numbered AS (SELECT attempts.rowid AS row, ? * run_key + position + 1 AS nth"
            " FROM attempts JOIN runs ON runs.id = run_id) "
            "UPDATE attempts SET job_id = ? || '-' || nth, job = '{}'"
            " FROM numbered WHERE attempts.rowid = row",
            (STEPS, job_id),
        )
        connection.commit()


def copy_jobs(database: Path, count: int) -> str:
    """Multiply the one job that orchesjob has recorded; return its id."""
    with closing(sqlite3.connect(database)) as connection:
        ((job_id,),) = connection.execute("SELECT job_id FROM jobs")
        for table in ("jobs", "run_keys"):
            names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            ended = f"CAST({LONG_AGO} AS INT) + {JOBS_SEC} * copy"
            changed = {
                "job_id": "job_id || '-' || copy",
                "run_key": "run_key || '-' || copy",
                "started_at": ended,
                "finished_at": ended,
                "status": "'SUCCEEDED'",
            }
            copy_rows(connection, table, [changed.get(name, name) for name in names], count)
        connection.commit()
    return str(job_id)


def copy_rows(connection: sqlite3.Connection, table: str, values: list[str], count: int) -> None:
    """Add so many copies of the rows of a table less one; in `values`, `copy` is their number."""
    connection.execute(
        "WITH RECURSIVE copies (copy) AS "  # noqa: S608 - names of columns
        f"(SELECT 1 UNION ALL SELECT copy + 1 FROM copies WHERE copy < {count - 1}) "
        f"INSERT INTO {table} SELECT {', '.join(values)} FROM {table} CROSS JOIN copies"
    )


def counting(place: Workplace) -> list[Figure]:
    """Measure `stats` and `metrics` of many runs, of which the newest are read."""
    count = 20_000 if place.quick else 100_000
    with place.home(NEAR_FREE) as environment:
        folder = Path(environment["ORCHESJOB_FLOW_HOME"])
        run([place.flow, "start", "--run-key=run", place.write(flows.chain(STEPS))], environment)
        multiply(folder / "orchesjob-flow.sqlite3", count)

        def ask(*words: str) -> Callable[[], float]:
            return lambda: seconds([place.flow, *words], environment)

        taken = interleave(
            place.rounds(9),
            {
                "stats": ask("stats"),
                "metrics": ask("metrics"),
                "list": ask("list", "--limit=1"),
            },
        )
    return [
        Figure(
            f"`{command}` of the newest 5,000 of {count:,} runs of {STEPS} steps",
            taken[command],
            2.0,
            unit=" s",
            note=f"`list --limit=1` takes {median(taken['list']):.2f} s",
        )
        for command in ("stats", "metrics")
    ]


def overviews(place: Workplace) -> list[Figure]:
    """Measure `overview` of many runs: the first call, and those after each new run."""
    flow_count, runs = 100, 100
    numbers = itertools.count()
    flow = place.write(flows.chain(STEPS))
    with place.home(NEAR_FREE) as environment:
        database = Path(environment["ORCHESJOB_FLOW_HOME"]) / "orchesjob-flow.sqlite3"
        run([place.flow, "start", "--run-key=run", flow], environment)
        multiply(database, flow_count * runs, flow_id=f"'flow-' || (copy % {flow_count})")
        words = [place.flow, "overview", "--output", str(place.folder / "overview")]
        first = seconds(words, environment)

        def after_a_new_run() -> float:
            run([place.flow, "start", f"--run-key=new-{next(numbers)}", flow], environment)
            return seconds(words, environment)

        taken = [after_a_new_run() for _ in range(place.rounds(9))]
        sizes = [path.stat().st_size for path in place.folder.glob("overview/reports/*")]
    of = f"{flow_count} flows with {runs} runs each"
    return [
        Figure(
            f"the first call of `overview`, {of}",
            [first],
            5.0,
            unit=" s",
            note=f"it writes {len(sizes):,} reports with {sum(sizes) / 1e6:.0f} MB",
        ),
        Figure("`overview` from then on, after each new run", taken, 1.0, unit=" s"),
    ]


def many_edges(place: Workplace) -> list[Figure]:
    """Measure `status` of a run whose steps wait for whole layers, and `graph` of a long condition.

    No runner is needed for that.
    """
    with place.home() as environment:
        flow = load_flow(place.write(flows.diamond(30, 100)))
        database = Path(environment["ORCHESJOB_FLOW_HOME"]) / "orchesjob-flow.sqlite3"
        database.parent.mkdir(mode=0o700)
        with FlowStore.open(database) as store:
            store.create(
                run_key="run",
                flow_id=flow.flow_id,
                definition=flow.to_json(),
                directory="/",
                flow_dir="/",
                orchesjob_home="/srv/jobs",
                started_at=1.0,
                steps=[(step.id, 0) for step in flow.steps],
            )
        ask = [place.flow, "status", "--run-key=run"]
        taken = [seconds(ask, environment) * 1e3 for _ in range(place.rounds(20))]
        names = [f"s{number}" for number in range(9999)]
        long = flows.document(
            [
                *(flows.step(name, flows.NO_OP) for name in names),
                flows.step("end", flows.NO_OP, names),
            ]
        )
        report = place.folder / "graph.json"
        command = [sys.executable, "-P", OWN_USAGE, str(report)]
        run([*command, "graph", place.write(long)], environment)
        used = json.loads(report.read_text())["resident_mb"]
    return [
        Figure("`status` of 30 layers of 100 steps", taken, 120.0, unit=" ms"),
        Figure(
            "memory of `graph`, 10,000 steps and a condition over all of them",
            [used],
            150.0,
            unit=" MB",
        ),
    ]


def record_many(database: Path, count: int) -> None:
    """Record runs that have succeeded, the first half of them long ago.

    One is recorded, and copied by SQL: to record each would take minutes.
    """
    attempt = Attempt(0, 1, AttemptStatus.SUCCEEDED, 1.0, None, "b", job="x" * 200, finished_at=2.0)
    with FlowStore.open(database) as store:
        record(store, "run")
        attempts = {(step, 1): attempt._replace(position=step) for step in range(STEPS)}
        end = RunHeader(RunStatus.SUCCEEDED, None, LONG_AGO)
        store.apply("run", Changes(end, attempts=attempts), revision=0)
        store.checkpoint()
    multiply(database, count, finished_at=f"iif(copy < {count // 2}, finished_at, {time.time()})")


def multiply(database: Path, count: int, **values: str) -> None:
    """Copy the one run that is recorded, with other values in some columns."""
    changed = {
        "id": "id + copy",
        "run_id": "run_id + copy",
        "run_key": "run_key || copy",
        **values,
    }
    with closing(sqlite3.connect(database)) as connection:
        for table in ("runs", "definitions", "steps", "attempts"):
            names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
            copy_rows(connection, table, [changed.get(name, name) for name in names], count)
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def record(store: FlowStore, key: str) -> None:
    """Record a run."""
    store.create(
        run_key=key,
        flow_id="nightly",
        definition="x" * TEXT,
        directory="/",
        flow_dir="/",
        orchesjob_home="/srv/jobs",
        started_at=1.0,
        steps=[(f"s{number}", 0) for number in range(STEPS)],
    )


def record_one(database: Path, number: int) -> float:
    """Record a run beside others; return how long that took."""
    began = time.perf_counter()
    with FlowStore.open(database) as store:
        record(store, f"other-{number}")
    return time.perf_counter() - began


def seconds_of_one_delete(database: Path) -> float:
    """Remove the same runs from a copy, by one statement."""
    copy = database.with_name("copy")
    shutil.copy(database, copy)
    with closing(sqlite3.connect(copy)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        began = time.perf_counter()
        connection.execute("DELETE FROM runs WHERE finished_at = ?", (LONG_AGO,))
        connection.commit()
        taken = time.perf_counter() - began
    copy.unlink()
    return taken


@contextmanager
def repeated(act: Callable[[], object], every_sec: float) -> Iterator[None]:
    """Do something again and again, in a thread of its own."""
    over = Event()

    def go_on() -> None:
        while not over.wait(every_sec):
            act()

    thread = Thread(target=go_on)
    thread.start()
    yield
    over.set()
    thread.join()
