"""Many jobs go in one call of orchesjob, and none of anybody else (rule 9.10)."""

import random
from dataclasses import dataclass, field

import pytest

from orchesjob_client import CallFailed, EndedJob, JobReport, OrchesjobClient
from orchesjob_flow.commands.prune import (
    FEW,
    LONGEST_CALL_SEC,
    OLD_SEC,
    JobSpan,
    PrintedJob,
    SpanCleaner,
    find_spans,
)

NOW = 1_000_000
LONG_AGO = NOW - 100_000
OURS = [PrintedJob(f"ours-{number}", (), LONG_AGO + number * 10) for number in range(FEW + 10)]
IDS = {job.job_id for job in OURS}


@dataclass
class Row:
    """A job of the home; without `ended_at` it is active, or its end was lost if `is_over`."""

    begun_at: int
    ended_at: int | None = None
    is_over: bool = True
    key: str | None = None

    @property
    def selected_at(self) -> int:
        return self.begun_at if self.ended_at is None else self.ended_at


@dataclass
class Home(OrchesjobClient):
    """An orchesjob with a few jobs, in memory.

    As soon as it has listed a span, it does the worst that it may: whatever was active, or has
    ended shortly before, has no end any more, and begins to be selected by its beginning.
    """

    rows: dict[str, Row] = field(default_factory=dict)
    calls: int = 0
    cannot_list: bool = False
    loses_ends: bool = True

    def running(self, **_: object) -> tuple[JobReport, ...]:
        return tuple(self._report(job_id) for job_id, row in self.rows.items() if not row.is_over)

    def status(self, job_key: str, **_: object) -> JobReport | None:
        found = [job_id for job_id, row in self.rows.items() if (row.key or job_id) == job_key]
        return self._report(found[-1]) if found else None

    def ended(self, after: int, before: int | None = None, **_: object) -> tuple[EndedJob, ...]:
        if before is not None:
            self.calls += 1
            if self.cannot_list:
                raise CallFailed("orchesjob clean", "no")
        return self._selected(after, before)

    def clean_ended(self, after: int, before: int, **_: object) -> tuple[EndedJob, ...]:
        self.calls += 1
        for row in self.rows.values():
            is_fresh = row.ended_at is not None and row.ended_at >= NOW - LONGEST_CALL_SEC
            if self.loses_ends and (is_fresh or not row.is_over):
                row.ended_at, row.is_over = None, True
        removed = self._selected(after, before)
        for job in removed:
            del self.rows[job.job_id]
        return removed

    def _selected(self, after: int, before: int | None) -> tuple[EndedJob, ...]:
        return tuple(
            EndedJob(job_id, row.key or job_id, row.selected_at)
            for job_id, row in self.rows.items()
            if row.is_over and after <= row.selected_at < (before or NOW + 1)
        )

    def _report(self, job_id: str) -> JobReport:
        row = self.rows[job_id]
        return JobReport.from_payload(
            {
                "job_id": job_id,
                "run_key": row.key or job_id,
                "status": "SUCCEEDED" if row.is_over else "RUNNING",
                "started_at": row.begun_at,
            }
        )


@pytest.fixture
def home() -> Home:
    """A home that holds our old jobs and nothing else."""
    ends = {job.job_id: job.ended_at or 0 for job in OURS}
    return Home(rows={job_id: Row(end - 5, end) for job_id, end in ends.items()})


def clean(home: Home, jobs: list[PrintedJob] = OURS) -> set[str]:
    """Have our jobs removed, and return which were removed."""
    before = set(home.rows)
    told = set(SpanCleaner(home, NOW + 0.5, at_once=2).clean(jobs))
    assert told == before - set(home.rows)
    return told


def test_nobody_else(home: Home) -> None:
    """Without others all go in two calls: one that lists them, and one that removes them."""
    assert clean(home) == IDS
    assert home.calls == 2


@pytest.mark.parametrize(
    "row",
    [
        Row(LONG_AGO - 7, LONG_AGO + 55),  # has ended between ours
        Row(LONG_AGO + 60, NOW - 5),  # ... shortly ago, and has begun between ours
        Row(LONG_AGO + 60, None, is_over=False),  # is active, and has begun between ours
        Row(LONG_AGO + 60, None),  # has lost its end, and has begun between ours
    ],
)
def test_one_between_ours(home: Home, row: Row) -> None:
    """A job of somebody else that is selected among ours, or may yet be, stays (rule 9.10)."""
    home.rows["theirs"] = row
    removed = clean(home)
    assert "theirs" in home.rows
    assert removed >= IDS - {"ours-6"}
    assert home.calls == 3


def test_what_may_change_is_not_a_reason_for_others(home: Home) -> None:
    """A job that has ended earlier keeps its end, and so its beginning is free to be cleaned."""
    home.rows["theirs"] = Row(LONG_AGO + 60, NOW - LONGEST_CALL_SEC - 1)
    assert clean(home) == IDS
    assert "theirs" in home.rows


def test_where_a_beginning_is_unknown(home: Home) -> None:
    """Where a key has run again, nobody tells when it began before, and nothing is removed."""
    home.rows["theirs"] = Row(LONG_AGO + 60, NOW - 5, key="k")
    home.rows["again"] = Row(NOW - 4, NOW - 3, key="k")
    assert not clean(home)


@pytest.mark.parametrize("ended_at", [NOW - OLD_SEC, NOW, NOW + 1, 0, -5])
def test_only_old_ones(home: Home, ended_at: int) -> None:
    """What has ended lately could be among jobs that end just now; it is left."""
    jobs = [PrintedJob(job_id, (), ended_at) for job_id in home.rows]
    for row in home.rows.values():
        row.ended_at = ended_at
    home.loses_ends = False
    assert not clean(home, jobs)


def test_few(home: Home) -> None:
    """Few jobs are no reason for calls that would be no fewer."""
    assert not clean(home, OURS[:FEW])
    assert home.calls == 0


def test_orchesjob_cannot_list_them(home: Home) -> None:
    """Where orchesjob cannot say what is in a span, nothing is removed."""
    home.cannot_list = True
    assert not clean(home)


def test_jobs_that_are_elsewhere(home: Home) -> None:
    """A job that has another time than was recorded, or is gone, is left to others."""
    home.rows["ours-3"].ended_at = LONG_AGO - 500
    del home.rows["ours-4"]
    assert clean(home) == IDS - {"ours-3", "ours-4"}


@pytest.mark.parametrize("seed", range(200))
def test_in_any_home(home: Home, seed: int) -> None:
    """Whatever else is in a home, and whatever becomes of it meanwhile: only our jobs go."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    for number in range(chance.randint(1, 15)):
        begun_at = LONG_AGO + chance.randint(-20, 220)
        end = chance.choice([begun_at + chance.randint(0, 100), NOW - chance.randint(0, 200), None])
        home.rows[f"theirs-{number}"] = Row(begun_at, end, is_over=end is not None)
    theirs = set(home.rows) - IDS
    assert clean(home) <= IDS
    assert theirs <= set(home.rows)


@pytest.mark.parametrize(
    ("ours", "theirs", "kept", "spans"),
    [
        ([1, 2, 9], [], [], [JobSpan(1, 9, 3)]),
        ([1, 2, 8, 9], [5], [], [JobSpan(1, 2, 2), JobSpan(8, 9, 2)]),
        ([1, 2, 8, 9], [], [5], [JobSpan(1, 2, 2), JobSpan(8, 9, 2)]),
        ([1, 2, 2, 3, 3], [2], [], [JobSpan(3, 3, 2)]),
        ([1, 2, 3], [1, 3], [], []),
        ([4, 4], [], [], [JobSpan(4, 4, 2)]),
        ([4], [], [], []),
        ([], [4, 5], [], []),
    ],
)
def test_spans(ours: list[int], theirs: list[int], kept: list[int], spans: list[JobSpan]) -> None:
    """A span holds several of our jobs, and neither another one nor a second that is kept."""
    listed = [EndedJob(f"a{number}", "", at) for number, at in enumerate(ours)]
    wanted = {job.job_id for job in listed}
    listed += [EndedJob(f"b{number}", "", at) for number, at in enumerate(theirs)]
    assert find_spans(wanted, listed, kept) == spans
