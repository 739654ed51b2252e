"""Reading what orchesjob reported about an attempt."""

import pytest

from flow_store import Attempt, Changes, DamagedRecord, FlowStore, reported_job, was_found


def test_no_report_yet(run_store: FlowStore, attempt: Attempt) -> None:
    """An attempt whose job was not reported yet has none."""
    run = run_store.load("k")
    assert run is not None
    assert reported_job(run, attempt) is None


def test_a_report(run_store: FlowStore, attempt: Attempt) -> None:
    """What was recorded as JSON text is read as an object, lone surrogates included."""
    written = attempt._replace(job='{"status": "RUNNING", "command": ["\udc80"]}')
    run_store.apply("k", Changes(attempts={(0, 1): written}), revision=0)
    run = run_store.load("k")
    assert run is not None
    job = {"status": "RUNNING", "command": ["\udc80"]}
    assert reported_job(run, run.attempts[0]) == job


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "Expecting value"),
        ('{"status":', "Expecting value"),
        ("[]", "expected a JSON object, got list"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_a_damaged_report(run_store: FlowStore, attempt: Attempt, text: str, cause: str) -> None:
    """Anything else is an error that names the run, the step and the attempt."""
    run = run_store.load("k")
    assert run is not None
    with pytest.raises(DamagedRecord, match=cause) as caught:
        reported_job(run, attempt._replace(position=1, number=3, job=text))
    error = caught.value
    assert (error.run_key, error.step_id, error.attempt_no) == ("k", "b", 3)


@pytest.mark.parametrize(
    ("finished_at", "job", "is_found"),
    [
        (None, '{"existing":true}', False),
        (1000.5, '{"existing":true}', False),
        (1000.0, '{"existing":true}', True),
        (1000.0, '{"existing":false}', False),
        (1000.0, "{}", False),
        (1000.0, "[]", False),
        (1000.0, None, False),
    ],
)
def test_what_was_found(
    run_store: FlowStore,
    attempt: Attempt,
    finished_at: float | None,
    job: str | None,
    is_found: bool,
) -> None:
    """Found is what orchesjob knew already and had ended before it began here (rule 4.7)."""
    written = attempt._replace(started_at=1000.0, finished_at=finished_at, job=job)
    run_store.apply("k", Changes(attempts={(0, 1): written}), revision=0)
    run = run_store.load("k")
    assert run is not None
    assert was_found(run, run.attempts[0]) is is_found
    (past,) = run.history
    assert was_found(run, past) is is_found
    assert was_found(run, past._replace(number=0)) is (finished_at == 1000.0)
