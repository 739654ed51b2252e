"""`prune`: old runs are removed, and nothing else (rule 9.10)."""

import time

import pytest

from support.answers import run_keys
from support.flow import Flow
from support.gate import Gate
from support.kept import Kept
from support.orchesjob import FakeOrchesjob
from support.steps import TRUE

DAY = 86400


def make_older(flow: Flow, key: str, days: float) -> None:
    finished_at = time.time() - days * DAY
    flow.change("UPDATE runs SET finished_at = ? WHERE run_key = ?", finished_at, key)


@pytest.fixture(scope="module")
def kept(shared_flow: Flow) -> Kept:
    """The runs of `some`, each of which has really run."""
    flow = shared_flow
    flow.write(TRUE, name="f.json")
    flow.write({"id": "a", "command": ["false"]}, name="g.json", flow_id="g")
    for key, file, days in (("f40", "f", 40), ("g40", "g", 40), ("f20", "f", 20), ("f0", "f", 0)):
        flow.start(key, f"{file}.json", code=int(file == "g"))
        make_older(flow, key, days)
    return Kept(flow)


@pytest.fixture
def some(kept: Kept) -> Flow:
    """Runs of `f` that ended 40, 20 and 0 days ago, and one of `g` that failed 40 days ago."""
    return kept.put_back()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--older-than", "30d"], ["g40", "f40"]),
        (["--older-than=0s"], ["f0", "f20", "g40", "f40"]),
        (["--older-than=960h", "--flow-id=g"], ["g40"]),
        (["--older-than=30d", "--keep=1"], ["f40"]),
        (["--older-than=100d"], []),
        (["g40", "f20"], ["g40", "f20"]),
        (["f0", "f0"], ["f0"]),
    ],
)
def test_choice(some: Flow, words: list[str], expected: list[str]) -> None:
    """Runs that ended long enough ago, but for the newest of each flow to keep, or named ones."""
    all_keys = ["f0", "f20", "g40", "f40"]
    foreseen = some.ask("prune", *words, "--dry-run")
    assert (foreseen["dry_run"], run_keys(foreseen, "removed")) == (True, expected)
    assert run_keys(some.ask("list")) == all_keys
    assert run_keys(some.ask("prune", *words), "removed") == expected
    assert run_keys(some.ask("list")) == [key for key in all_keys if key not in expected]


def test_the_newest_run(some: Flow) -> None:
    """`-` is the newest run, and is named on stderr (rule 6.12)."""
    answer = some.run("prune", "-", "--format=table")
    assert answer.stderr == "orchesjob-flow: the newest run is f0\n"
    assert answer.stdout.splitlines()[-1].startswith("1 run removed")
    assert run_keys(some.ask("list")) == ["f20", "g40", "f40"]


def test_a_named_run_that_has_not_ended(flow: Flow, gate: Gate) -> None:
    """With a runner or without it is never removed; named, it is refused with all (rule 9.10)."""
    flow.start("ended", flow.write(TRUE, flow_id="g"))
    runner = flow.begin(flow.write({"id": "a", "command": gate.command()}), gate)
    assert flow.ask("prune", "--older-than=0s", "--flow-id=f")["removed"] == []
    runner.kill()
    runner.wait()
    assert flow.refusal("prune", "ended", "k") == {
        "error": "run 'k' has not ended; its runner is gone",
        "help": "orchesjob-flow resume k  # or end it: orchesjob-flow cancel k",
    }
    assert run_keys(flow.ask("list")) == ["k", "ended"]
    gate.let_through()
    flow.ask("resume", "k")


def test_nothing_is_left(flow: Flow) -> None:
    """Steps, attempts, logs, locks and directory go with their run; those of all runs stay."""
    flow.ask("start", "-d", "--run-key=k", flow.write(TRUE))
    flow.ask("wait", "--run-key=k")
    flow.await_status("k", lambda run: run["runner"] is None)
    flow.start("other", "flow.json")
    assert run_keys(flow.ask("prune", "--older-than=0s", "--keep=1"), "removed") == ["k"]
    left = {path.name for path in flow.home.glob("*/*") if path.suffix != ".slot"}
    assert left == {"other.lock", "other.calls", "other.run", "calls.queue"}
    with flow.open_database() as database:
        counts = "SELECT count(*) FROM runs", "SELECT count(*) FROM steps"
        for count in (*counts, "SELECT count(*) FROM attempts"):
            assert database.execute(count).fetchone() == (1,)
    assert "no run 'k'" in flow.refusal("status", "--run-key=k")["error"]


@pytest.mark.parametrize(
    ("words", "begun"), [(["--keep-output"], ["k:a:1"]), ([], ["k:a:1", "k:a:1"])]
)
def test_the_key_again(
    flow: Flow, fake_orchesjob: FakeOrchesjob, words: list[str], begun: list[str]
) -> None:
    """A pruned key is free; where orchesjob has kept its jobs, they are found again (rule 4.7)."""
    flow.start("k", flow.write(TRUE))
    flow.ask("prune", "--older-than=0s", *words)
    assert flow.start("k", "flow.json")["status"] == "SUCCEEDED"
    assert fake_orchesjob.begun() == begun


PRINTING = {"id": "a", "command": ["sh", "-c", "echo 12345; echo 123 >&2; exit 1"], "retries": 1}


def outputs(flow: Flow) -> set[str]:
    return {path.name for path in (flow.orchesjob.home / "logs").iterdir()}


@pytest.mark.integration
def test_output(real_flow: Flow) -> None:
    """What all attempts of a run have printed is removed by orchesjob; `prune` says how much.

    What belongs to another run stays, and so does a job of somebody else (rule 9.10).
    """
    file = real_flow.write(PRINTING)
    real_flow.start("k", file, code=1)
    theirs = outputs(real_flow)
    real_flow.start("other", file, code=1)
    theirs = outputs(real_flow) - theirs
    real_flow.orchesjob.start("x:a:1", "echo", "theirs")
    real_flow.orchesjob.await_end("x:a:1")
    real_flow.start("x", file, code=1)
    (theirs_too,) = real_flow.orchesjob.home.glob(
        f"logs/{real_flow.orchesjob.status('x:a:1')['job_id']}.stdout"
    )
    make_older(real_flow, "k", 40)
    make_older(real_flow, "x", 40)
    prune = ("prune", "--older-than=30d")
    total = "2 runs would be removed, 20 B of output would be freed\n"
    assert real_flow.run(*prune, "--dry-run", "--format=table").stdout.endswith(total)
    removed = real_flow.ask(*prune)["removed"]
    assert [(run["run_key"], run["jobs"], run["output_bytes"]) for run in removed] == [
        ("x", 0, 0),
        ("k", 2, 20),
    ]
    assert outputs(real_flow) == {
        *theirs,
        theirs_too.name,
        theirs_too.with_suffix(".stderr").name,
    }
    assert real_flow.orchesjob.run("status", "--run-key=k:a:2").returncode == 3
    assert real_flow.orchesjob.status("other:a:2")["status"] == "FAILED"
    assert real_flow.ask("doctor")["sound"]


def test_orchesjob_fails(flow: Flow, fake_orchesjob: FakeOrchesjob) -> None:
    """A run whose output orchesjob could not remove stays, and is pruned the next time."""
    file = flow.write(TRUE)
    flow.start("one", file)
    flow.start("two", file)
    fake_orchesjob.script([{"call": "clean", "key": "two:*", "fault": "locked"}])
    finished = flow.run("prune", "--older-than=0s")
    assert (finished.returncode, finished.stdout) == (
        2,
        '{"dry_run":false,"removed":[],"not_started":0}\n',
    )
    assert "'two', 'one': orchesjob clean" in finished.stderr
    assert "database is locked" in finished.stderr
    assert run_keys(flow.ask("list")) == ["two", "one"]
    assert len([call for call in fake_orchesjob.calls() if call["call"] == "clean"]) == 1
    fake_orchesjob.script([])
    assert run_keys(flow.ask("prune", "--older-than=0s"), "removed") == ["two", "one"]
    assert outputs(flow) == set()


def test_home_that_is_gone(flow: Flow) -> None:
    """A run whose orchesjob home is gone is removed, and no empty home is made (rule 4.8)."""
    flow.start("k", flow.write(TRUE))
    gone = flow.orchesjob.home
    gone.rename(gone.with_name("elsewhere"))
    assert run_keys(flow.ask("prune", "--older-than=0s"), "removed") == ["k"]
    assert not gone.exists()
