"""`doctor`: checks what runs need, and audits the recorded attempts (rule 9.11).

`installation` checks the machine, the folders and orchesjob; `audit` the recorded attempts. Nothing
is fixed, and nothing is written.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, suppress
from typing import Any

import click

from flow_store import FlowStore, StoreError, StoreMissing
from orchesjob_flow.cli.options import CommandOnRun, Misused, declare_run_key, format_option
from orchesjob_flow.commands.doctor.audit import (
    Check,
    ClientOf,
    Grade,
    RecordedAttempt,
    SettledStep,
    audit,
    check_homes,
    check_settled,
    read_ledger,
)
from orchesjob_flow.commands.doctor.installation import (
    check_disk,
    check_home,
    check_orchesjob,
    check_processes,
    check_program,
)
from orchesjob_flow.errors import line_about
from orchesjob_flow.exit_codes import DONE, NOT_SUCCEEDED
from orchesjob_flow.home.orchesjob_home import holds_jobs
from orchesjob_flow.home.paths import Settings
from orchesjob_flow.home.runs import UNFINISHED, Listed, RunHandle, find_runs, nearest_keys
from orchesjob_flow.views.reasons import describe_given_up
from orchesjob_flow.views.terminal import OutputFormat, print_json, print_lines, visible

MARKS = {Grade.OK: "OK", Grade.NOTE: "--", Grade.PROBLEM: "NG"}


@click.command(cls=CommandOnRun)
@declare_run_key("Audit only this run, which is quicker if there are many.", required=False)
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Ask orchesjob about every attempt of all runs, not only about the newest 100.",
)
@format_option
@click.pass_obj
def doctor(
    settings: Settings, handle: RunHandle | None, every: bool, output_format: OutputFormat
) -> int:
    """Check the installation, and audit the recorded attempts against what orchesjob knows.

    Nothing is changed. The exit code is 1 if there is a problem.

    \b
    Example:
      orchesjob-flow doctor
    """  # noqa: D301 - click reads \b
    if every and handle is not None:
        raise Misused(
            "give either a run or --all",
            f"{line_about(handle.run_key, 'doctor')}  # checks this run; to check every run: "
            "orchesjob-flow doctor --all",
        )
    if handle is not None:
        refuse_unknown(handle)
    checks = []
    for check in examine(settings, handle, every=every or handle is not None):
        checks.append(check)
        if output_format is OutputFormat.TEXT:  # one by one: many attempts take long
            print_lines([f"{MARKS[check.grade]}  {check.name}: {visible(check.message)}"])
    sound = all(check.grade is not Grade.PROBLEM for check in checks)
    if output_format is OutputFormat.JSON:
        print_json(checks_json(checks, sound=sound))
    return DONE if sound else NOT_SUCCEEDED


def refuse_unknown(handle: RunHandle) -> None:
    """Refuse a run that is not recorded, before anything is checked.

    Raises:
        BadRunKey, RunNotFound: The key is not valid, or there is no such run.
        HomeMissing: There is no such home (rule 6.13).
    """
    with suppress(StoreError), handle.open_readonly() as store:  # a check says what is wrong
        if not store.has(handle.run_key):
            raise handle.not_found(nearest_keys(store, handle.run_key))


def checks_json(checks: Sequence[Check], *, sound: bool) -> dict[str, Any]:
    """Describe the checks for scripts."""
    described = [
        {"check": name, "verdict": grade.value, "message": message}
        for name, grade, message in checks
    ]
    return {"sound": sound, "checks": described}


def examine(settings: Settings, handle: RunHandle | None, *, every: bool) -> Iterator[Check]:
    """Yield each check in turn: of the installation, then of one run's attempts or of all.

    With `every`, orchesjob is asked about each attempt, not only about the newest.

    Raises:
        HomeMissing: There is no such home (rule 6.13).
    """
    yield check_program()
    yield check_disk(settings)
    yield check_home(settings)
    yield check_processes()
    with ExitStack() as at_end:
        client_of = yield from check_orchesjob(settings, at_end)
        yield from examine_runs(settings, handle, client_of, every=every)


def examine_runs(
    settings: Settings, handle: RunHandle | None, client_of: ClientOf | None, *, every: bool
) -> Iterator[Check]:
    """Yield each check of what is recorded; without `client_of`, orchesjob is not asked.

    Raises:
        HomeMissing: As `examine`.
    """
    try:
        with FlowStore.open_readonly(settings.home.database) as store:
            yield check_database(store, settings)
            keys = store.run_keys() if handle is None else [handle.run_key]
            ledger = [entry for key in keys for entry in read_ledger(store, settings.home, key)]
    except StoreMissing:
        settings.home.refuse_missing()
        yield Check("database", Grade.NOTE, f"{settings.home.database}: nothing is recorded yet")
        return
    except StoreError as error:
        yield Check("database", Grade.PROBLEM, str(error))
        return
    yield from (entry for entry in ledger if isinstance(entry, Check))
    settled = [entry for entry in ledger if isinstance(entry, SettledStep)]
    yield from check_settled(settled, every=every)
    recorded = [entry for entry in ledger if isinstance(entry, RecordedAttempt)]
    yield from check_runners(settings, {one.run_key for one in recorded if one.loss is not None})
    yield from check_homes(recorded)
    if client_of is not None:
        present = [one for one in recorded if one.loss is None and holds_jobs(one.home)]
        yield from audit(present, client_of, starts=settings.starts, every=every)


def check_database(store: FlowStore, settings: Settings) -> Check:
    """Check the database for damage."""
    damage = store.damage()
    if damage:
        return Check("database", Grade.PROBLEM, f"{settings.home.database}: {'; '.join(damage)}")
    count = len(store.run_keys())
    runs = "1 run" if count == 1 else f"{count:,} runs"
    return Check("database", Grade.OK, f"{settings.home.database}: {runs}, undamaged")


def check_runners(settings: Settings, lost: Collection[str]) -> Iterator[Check]:
    """Look for runs that no process advances, and for those on which a runner gave up.

    The orchesjob homes of `lost` runs are gone, and nobody continues these.
    """
    unfinished = find_runs(settings, statuses=UNFINISHED)
    described = ((one.run.run_key, describe_trouble(one)) for one in unfinished)
    troubles = [(key, trouble) for key, trouble in described if trouble is not None]
    for key, trouble in troubles:
        condition = " once its orchesjob home is back" if key in lost else ""
        yield Check("runners", Grade.PROBLEM, trouble + condition)
    if not troubles:
        message = f"every run that has not ended ({len(unfinished)}) has its runner"
        yield Check("runners", Grade.OK, message)


def describe_trouble(listed: Listed) -> str | None:
    """Describe a run that no process advances, or tries in vain to, with the remedy; else None."""
    run = listed.run
    if run.gave_up is not None or not listed.is_abandoned:
        return describe_given_up(listed)
    return (
        f"run {run.run_key!r} is {run.status.value} and no process advances it: "
        "`orchesjob-flow resume` continues it"
    )
