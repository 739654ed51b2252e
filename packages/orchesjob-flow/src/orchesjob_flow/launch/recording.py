"""Starting a run of a flow file, unless it is recorded already, and opening an ended run again.

A run that is recorded or opened again also joins the group of its flow (rules 4.3 to 4.5, 10.7).
`retry` and `settle` each plan what they change of the run; `reopen` records that, and brings the
run to its next end (rules 9.7 and 12.3).

`start --every` starts a flow once in each hour, day, week or month of the caller's clock (4.9). The
lock of the run is taken before anything is looked at. So of several calls at once one starts the
run, and the others find the lock taken.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import NamedTuple

from flow_spec import FlowSpec, ListError, ListReader, OnConflict, differences
from flow_store import FlowStore, GroupTaken, Joining, Parent, Reopening, Run, RunStatus, StoreError
from orchesjob_client import OrchesjobError, locate
from orchesjob_flow.clock import now
from orchesjob_flow.engine.update import header_at_start
from orchesjob_flow.errors import DONE, DefinitionDiffers, FlowError, RunNotTerminal, Skipped
from orchesjob_flow.home import (
    Lock,
    RunHandle,
    Settings,
    check_run_key,
    flow_of_run,
    has_runner,
    key_for_flow,
    open_store,
    patiently,
)
from orchesjob_flow.home.orchesjob_home import (
    home_of_new_run,
    inode_of_home,
    parent_of_new_run,
    real_home,
)
from orchesjob_flow.launch.inputs import (
    current_directory,
    folder_of,
    list_reader,
    tell_empty_lists,
)
from orchesjob_flow.runner.assembly import drive, drive_or_wait
from orchesjob_flow.runner.background import Begun, await_runner, begin_runner, start_child
from orchesjob_flow.views.results import (
    command_line,
    ended_words,
    run_exit_code,
    show_background,
    show_foreground,
    show_run,
    show_skipped,
)
from orchesjob_flow.views.terminal import Course, stderr, stdout, warn

EXIT_SEC = 10.0
"""How long a runner may take to exit once it has recorded the end of its run."""


class Recorded(NamedTuple):
    """The open store in which a run is recorded.

    `lock` is the run's, if this process holds it already. `flow` is its definition, if this process
    has recorded it. One with names to replace is not kept: it would take memory beside the flow
    that has their values, for as long as the run lasts.
    """

    store: FlowStore
    lock: Lock | None
    flow: FlowSpec | None


def record(
    handle: RunHandle,
    flow_file: str,
    read: Callable[[], FlowSpec],
    *,
    own_jobs: bool,
    on_record: Callable[[bool], object] = lambda _: None,
) -> Recorded:
    """Record a new run, or find the one of this key and definition; return the open store.

    `read` returns the flow of the file, with the variables and parameters of the call: they become
    part of the definition (rules 9.12 and 10.2). Everything is checked before anything is recorded.
    A run that will wait for its group is recorded under its lock, and the lock is returned too.
    Otherwise a later run could find no runner of it, and go first (rule 10.7). `own_jobs` gives a
    new run an orchesjob home of its own (rule 4.8). `on_record` is told whether the
    run is recorded now: before, when nothing was started (rule 6.9), and if it is new, after that.

    Raises:
        DefinitionDiffers: A run of this key was started with another definition (rule 4.4).
        UnusableOrchesjobHome: orchesjob could not work for a new run (rule 6.13).
        UnsafePlace: No runner could advance the run.
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
        ListError: A list of a new run is empty, and must not be (rule 10.3).
    """
    settings = handle.settings
    flow = read()
    locate(settings.orchesjob, settings.environ)
    directory, flow_dir = current_directory(), folder_of(flow_file)
    is_recorded = patiently(settings, handle.is_recorded)
    run_key = handle.run_key
    if is_recorded:  # its recorded home counts; this one need not be usable
        home = real_home(settings.environ)
    else:
        home = home_of_new_run(settings, run_key, own_jobs=own_jobs, create=True)
    handle.refuse_unusable()
    with ExitStack() as unless_recorded:
        store = unless_recorded.enter_context(open_store(settings))
        parent = patiently(settings, partial(parent_of_new_run, store, settings.environ))

        def create() -> bool:
            began = now().wall
            return store.create(
                run_key=run_key,
                flow_id=flow.flow_id,
                definition=flow.to_json(),
                directory=directory,
                flow_dir=flow_dir,
                started_at=began,
                utc_offset_sec=time.localtime(began).tm_gmtoff,
                steps=[(step.id, step.retries) for step in flow.all_steps],
                orchesjob_home=home,
                home_inode=inode_of_home(home),
                parent=parent,
                params=dict(flow.values),
                joining=joining_of(handle, store, flow, flow_dir, parent),
                refusal=refusal,
            )

        refusal = _refusal_of_lists(flow, directory)
        lock = handle.lock(wait_sec=0) if _waits_for_its_turn(flow) else None
        on_record(False)
        with skipping(store, flow):
            created = patiently(settings, create)
        if not created:
            if lock is not None:
                lock.close()
            run = handle.load(store)
            _refuse_another_definition(flow, run)
            _tell_ended(handle, run)
        else:
            on_record(True)
            tell_empty_lists(flow)
        unless_recorded.pop_all()
    if not created:
        return Recorded(store, None, None)
    return Recorded(store, lock, None if flow.has_names else flow)


def _refusal_of_lists(flow: FlowSpec, directory: str) -> ListError | None:
    try:
        flow.refuse_empty_lists(directory)
    except ListError as error:
        return error
    return None


def _tell_ended(handle: RunHandle, run: Run) -> None:
    if not run.status.is_terminal:
        return
    step = ("--step", "STEP") if run.status is RunStatus.SUCCEEDED else ()
    line = command_line(handle, "retry", *step)
    warn(f"{ended_words(run)}, so nothing is run: use another key, or `{line}`")


def _refuse_another_definition(flow: FlowSpec, run: Run) -> None:
    changes = tuple(
        f"--{change}" if change.startswith("until ") else change  # an option here
        for change in differences(flow_of_run(run), flow)
    )
    if changes:
        can_retry = run.status.is_terminal and run.status is not RunStatus.SUCCEEDED
        raise DefinitionDiffers(run.run_key, changes, can_retry)


def lists_to_start(handle: RunHandle, flow_file: str) -> ListReader:
    """Return a reader of the lists of a run to start or to continue.

    A recorded run keeps its lists, even where a file is gone.
    """

    def read(origin: str, text: str, params: Mapping[str, str]) -> Sequence[str]:
        if not patiently(handle.settings, handle.is_recorded):
            return list_reader(flow_file)(origin, text, params)
        with handle.open_readonly() as store:
            run = handle.load(store)
        known = flow_of_run(run).lists.get((origin, text))
        if known is not None:
            return known
        return list_reader(flow_file, run.directory)(origin, text, params)

    return read


def _waits_for_its_turn(flow: FlowSpec) -> bool:
    waiting = (OnConflict.WAIT, OnConflict.REPLACE)
    return flow.concurrency is not None and flow.concurrency.on_conflict in waiting


def joining_of(
    handle: RunHandle, store: FlowStore, flow: FlowSpec, flow_dir: str, parent: Parent | None
) -> Joining | None:
    """Return how a run of a flow joins its group at this moment; None if the flow has no group.

    Names in the group's name get the values of this run, whose flow file is in `flow_dir` (rule
    10.2). `parent` is the attempt inside which this process runs.
    """
    group = flow.filled(handle.built_in_names(flow_dir)).group
    if group is None:
        return None
    inside = None if parent is None else parent.run_key
    if _waits_for_its_turn(flow):
        replaces = flow.concurrency is not None and flow.concurrency.on_conflict
        at = now().wall if replaces is OnConflict.REPLACE else None
        return Joining(group, inside=inside, replaces_at=at)
    waiting = store.queue_of_group(group).waiting
    passes = frozenset(key for key in waiting if not has_runner(handle._replace(run_key=key)))
    return Joining(group, begins=header_at_start(flow, now()), passes=passes, inside=inside)


@contextmanager
def skipping(store: FlowStore, flow: FlowSpec) -> Iterator[None]:
    """Record a start that the group turned away, and raise what its `on_conflict` asks for.

    Raises:
        Skipped: The group is taken, and the flow skips the run then.
        GroupTaken: The group is taken, and the flow makes that an error.
    """
    try:
        yield
    except GroupTaken as taken:
        store.count_not_started(taken, flow.flow_id, now().wall)
        if flow.concurrency is not None and flow.concurrency.on_conflict is OnConflict.SKIP:
            if stderr().stream.isatty():
                warn(f"{taken.run_key} is not started while {taken.by} runs; `list` counts this")
            raise Skipped(taken.by) from taken
        raise


class Plan(NamedTuple):
    """What is changed of a run that has ended, and the flow with which it continues."""

    flow: FlowSpec
    reopening: Reopening


type Planner = Callable[[Run], Plan]
"""Returns the plan for a run as it is recorded."""


def bring_to_end(
    handle: RunHandle, course: Course, begin: Callable[[], Begun], advance: Callable[[], Run]
) -> int:
    """Let a background process `begin` to advance a run, or `advance` it here; show the run.

    Return the exit code. The flow of a new run may have it skipped (rule 10.7).
    """
    try:
        if course.detach:
            snapshot = await_runner(handle, begin())
            if course.quiet and not stdout().stream.isatty():
                return DONE
            return show_background(handle, snapshot, course.output_format)
        return show_foreground(
            handle, course.output_format, course.progress, advance, follow=course.follow
        )
    except Skipped as skipped:
        return DONE if course.quiet else show_skipped(skipped.held_by, course.output_format)


def start_run(  # noqa: PLR0913 - what commands are told of it
    handle: RunHandle,
    flow_file: str,
    read: Callable[[], FlowSpec],
    course: Course,
    *,
    own_jobs: bool,
    on_record: Callable[[bool], object],
    lock: Lock | None = None,
) -> int:
    """Record a run or find it, as `record` does, advance it, write its reports, and show it.

    `lock` is the run's, if this process holds it already.
    """
    check_run_key(handle.run_key)
    if course.reports:
        from orchesjob_flow.reports.reporting import refuse_destination

        for _, file in course.reports:
            refuse_destination(Path(file), flow_file)

    def recorded() -> Recorded:
        found = record(handle, flow_file, read, own_jobs=own_jobs, on_record=on_record)
        return found if lock is None else found._replace(lock=lock)

    return bring_recorded(handle, course, recorded)


def bring_recorded(handle: RunHandle, course: Course, recorded: Callable[[], Recorded]) -> int:
    """Advance a run once it is recorded, write its reports, and show it."""

    def begin() -> Begun:
        store, lock, _ = recorded()
        with store:
            return begin_runner(handle, store, lock)

    def advance() -> Run:
        store, lock, flow = recorded()
        with store:
            run = drive_or_wait(handle, store, lock, flow=flow)
        if course.reports:
            from orchesjob_flow.reports.reporting import write_reports

            write_reports(handle, course.reports)
        return run

    return bring_to_end(handle, course, begin, advance)


def reopen(handle: RunHandle, planner: Planner, course: Course) -> int:
    """Open a run that has ended again, advance it, and show it.

    In its group it is like a new run: it waits, or its flow has it skipped (rule 10.7).
    """

    def begin() -> Begun:
        with reopened(handle, planner) as (at_home, _, lock):
            return start_child(at_home, lock)

    def advance() -> Run:
        with reopened(handle, planner) as (at_home, store, lock):
            return drive(at_home, store, lock)

    if not course.detach:
        refuse_unfinished(handle)
    return bring_to_end(handle, course, begin, advance)


def refuse_unfinished(handle: RunHandle) -> None:
    """Refuse a run that has not ended before anything of it is shown; `reopened` decides.

    Raises:
        RunNotTerminal: It has not ended, and nobody advances it.
    """
    with handle.open_readonly() as store:
        is_open = store.has(handle.run_key) and store.ended_run(handle.run_key) is None
    if is_open and handle.holder() is None:
        raise RunNotTerminal(handle.run_key)


@contextmanager
def reopened(handle: RunHandle, planner: Planner) -> Iterator[tuple[RunHandle, FlowStore, Lock]]:
    """Open a run again in one transaction, under its lock.

    Yield the handle with the orchesjob home of the run, the store and the lock.

    Raises:
        RunnerBusy: Another process advances the run.
        RunNotTerminal: It has not ended.
        OtherOrchesjobHome: The environment names another home than the run's (rule 4.8).
        UnsafePlace: No runner could advance the run.
        Skipped, GroupTaken: Another run of its group is before it, and it does not wait (10.7).
    """
    settings = handle.settings
    locate(settings.orchesjob, settings.environ)
    with handle.open() as store, closing(lock_of_ended(handle, store)) as lock:
        run = handle.load(store)
        if not run.status.is_terminal:
            raise RunNotTerminal(run.run_key)  # its lock is ours
        at_home = handle.in_home_of(run)
        handle.refuse_unusable()
        record_plan(at_home, store, run, planner(run))
        yield at_home, store, lock


def lock_of_ended(handle: RunHandle, store: FlowStore) -> Lock:
    """Take a run's lock; a runner that has recorded the end of the run is about to release it.

    Raises:
        RunnerBusy: Another process advances the run, or does not exit.
    """
    until = time.monotonic() + EXIT_SEC
    while store.ended_run(handle.run_key) is not None and time.monotonic() < until:
        if (lock := handle.lock()) is not None:
            return lock
    return handle.lock_or_refuse()


def record_plan(handle: RunHandle, store: FlowStore, run: Run, plan: Plan) -> None:
    """Record the plan for a run, which goes to the end of its group's queue (rule 10.7)."""
    flow, reopening = plan
    settings = handle.settings
    flow_dir = run.flow_dir if reopening.flow_dir is None else reopening.flow_dir
    parent = patiently(settings, lambda: parent_of_new_run(store, settings.environ))
    with skipping(store, flow):
        patiently(
            settings,
            lambda: store.reopen(
                run.run_key,
                reopening,
                revision=run.revision,
                joining=joining_of(handle, store, flow, flow_dir, parent),
            ),
        )


type Start = Callable[[RunHandle, Lock], int]
"""Records a run, whose lock is held, and advances it; returns the exit code."""

PERIODS = {"hour": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "week": "%G-W%V", "month": "%Y-%m"}
"""How the name of a period is written; a week has the year and the number of ISO 8601."""


def start_of_period(
    settings: Settings, period: str, asked: Mapping[str, str], course: Course, start: Start
) -> int:
    """Start the run of this period, or resume it; before that, resume that of the period before.

    `asked` is the `flow_id`, with the parameters of the call. Return the exit code. If there is
    nothing to do, a `quiet` course prints nothing.

    Raises:
        DefinitionDiffers: The run belongs to another flow, or has other parameters.
    """
    settings.home.prepare()
    names = names_of_periods(period, now().wall)
    handle, before = (
        RunHandle(key_for_flow(asked["flow_id"], f"-{name}"), settings) for name in names
    )
    code = None
    if before != handle and patiently(settings, before.is_recorded):
        try:
            code = start_or_resume(before, course, start)
        except (FlowError, StoreError, OrchesjobError) as error:
            warn(f"run {before.run_key!r} cannot be resumed: {error}")
    if (done := start_or_resume(handle, course, start)) is not None:
        return max(done, code or DONE)
    if not patiently(settings, handle.is_recorded):
        return DONE  # another call is about to record it
    snapshot = handle.snapshot()
    _refuse_other(snapshot.run, asked)
    if not course.quiet:
        show_run(handle, snapshot, course.output_format)
    return run_exit_code(snapshot.run) if snapshot.run.status.is_terminal else DONE


def names_of_periods(period: str, at: float) -> tuple[str, str]:
    """Return the names of the period of a Unix time, and of the one before, in local time.

    In the hour that a clock repeats, both are the same.
    """
    local = datetime.fromtimestamp(at)  # noqa: DTZ006 - local time, as the caller has it
    before = {
        "hour": datetime.fromtimestamp(at - 3600),  # noqa: DTZ006
        "day": local - timedelta(days=1),
        "week": local - timedelta(weeks=1),
        "month": local.replace(day=1) - timedelta(days=1),
    }[period]
    return local.strftime(PERIODS[period]), before.strftime(PERIODS[period])


def start_or_resume(handle: RunHandle, course: Course, start: Start) -> int | None:
    """Start or resume a run that no process advances; None if it has ended, or one does."""
    lock = handle.lock()
    if lock is None:
        return None
    with closing(lock):
        if not patiently(handle.settings, handle.is_recorded):
            return start(handle, lock)
        if handle.snapshot().run.status.is_terminal:
            return None
        return bring_recorded(handle, course, lambda: Recorded(handle.open(), lock, None))


def _refuse_other(run: Run, asked: Mapping[str, str]) -> None:
    known = {**(run.params or {}), "flow_id": run.flow_id}
    others = [name for name, value in asked.items() if known.get(name) != value]
    if others:
        changes = [f"{name} was {known.get(name)!r} and is {asked[name]!r}" for name in others]
        raise DefinitionDiffers(run.run_key, changes)
