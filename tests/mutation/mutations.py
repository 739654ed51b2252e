"""The table of mutations: what each takes away, where, and which tests must notice."""

from pathlib import Path

from .operators import (
    Operator,
    definition,
    drop,
    module_of_tests,
    replace,
    replace_text,
)


class Mutation:
    """One protection taken out of `place`, a definition that `operators.definition` finds.

    `tests` are arguments of pytest for the tests of which one must fail then. The first is the name
    of their module, as `module_of_tests` finds it. Without them, the simulation must see an
    invariant broken.
    """

    def __init__(self, name: str, place: str, *operators: Operator, tests: str = "") -> None:
        self.name = name
        self.place = place
        self.operators = operators
        self.tests = tests

    def mutant(self) -> tuple[Path, str]:
        """Return the path of the module that it changes, and the text of the changed one.

        Raises:
            ValueError: It does not fit the code.
        """
        found = definition(self.place)
        return found.path, found.mutant(*self.operators)

    def arguments(self) -> list[str]:
        """Return the arguments of pytest.

        Raises:
            ValueError: There is no such module of tests, or more than one.
        """
        module, *options = self.tests.split()
        return [str(module_of_tests(module)), *options]


MUTATIONS = (
    # The engine and the loop: what a run does next, and in which order it is recorded.
    Mutation(
        "an effect before its commit",
        "orchesjob-flow: Runner._run_once",
        replace(
            "self._commit(decision)",
            "self._act(decision.effects); self._commit(decision); decision.effects.clear()",
        ),
    ),
    Mutation(
        "effects although the commit failed",
        "orchesjob-flow: Runner._commit",
        replace("self._pause(pause)", "return"),
    ),
    Mutation(
        "a command begins before its files are recorded",
        "orchesjob-flow: start_noted",
        replace(
            "context.record_attempt(attempt, files=event.files); calls.start_job(context, attempt)",
            "calls.start_job(context, attempt)",
        ),
    ),
    Mutation(
        "no look for survivors before a retry",
        "orchesjob-flow: await_attempt",
        replace("look_for_survivors(context, step)", "context.run.enqueue(step)"),
    ),
    Mutation(
        "an aborted job is taken for gone",
        "orchesjob-flow: act_on_report",
        replace("calls.end_left_behind(context, attempt)", "close_if_ended(context, attempt, [])"),
    ),
    Mutation(
        "a lost job is taken for gone when it is to be ended",
        "orchesjob-flow: act_on_survivors",
        replace("calls.end_left_behind(context, attempt)", "close_if_ended(context, attempt, [])"),
    ),
    Mutation(
        "a timeout on the wall clock",
        "orchesjob-flow: set_timeout",
        replace(
            "since + limit - context.now.mono", "attempt.row.started_at + limit - context.now.wall"
        ),
    ),
    Mutation(
        "a retry delay on the wall clock",
        "orchesjob-flow: await_attempt",
        replace(
            "context.remaining_sec(at, mono, boot, step.spec.delay_after(row.failures))",
            "at - context.now.wall",
        ),
    ),
    Mutation(
        "the flow's timeout on the wall clock",
        "orchesjob-flow: await_deadline",
        replace(
            "context.remaining_sec(*run.deadline, at_most=limit)",
            "run.deadline.at - context.now.wall",
        ),
    ),
    Mutation(
        "a look that was planned before an attempt was closed begins the next one",
        "orchesjob-flow: on_attempt_timer_due",
        replace(
            "(Timer.RETRY, Timer.SURVIVORS)", "(Timer.RETRY, Timer.SURVIVORS, Timer.OPEN_SURVIVORS)"
        ),
        tests="test_losses -k delay",
    ),
    Mutation(
        "the time of a call begins when it is asked for",
        "orchesjob-flow: UpdateContext.call",
        replace("not call.tells_begin", "call"),
    ),
    Mutation(
        "an abort without a look at who has the process id",
        "orchesjob-flow: make_next_call",
        replace(
            "attempt.watch is None", "attempt.watch is None and attempt.row.abort_reason is None"
        ),
    ),
    Mutation(
        "a run begins before the end of what is inside one that it replaces",
        "orchesjob-flow: RequestPoller._to_end",
        replace("(*ahead, *inside)", "ahead"),
        tests="flows/test_groups -k inside_a_replaced",
    ),
    Mutation(
        "a request in the middle of a look is missed",
        "orchesjob-flow: RequestPoller.look",
        drop("request = self._store.cancel_request(run.run_key)"),
        replace(
            "version = self._store.data_version()",
            "request = self._store.cancel_request(run.run_key)\n"
            "version = self._store.data_version()",
        ),
        tests="test_cancelling -k middle_of_a_look",
    ),
    Mutation(
        "a beginning that was refused is believed",
        "orchesjob-flow: Runner._take_back",
        drop("self.run = RunState.load(self.run.flow, self._unbegun, self.run.limits)"),
        tests="simulation/test_groups -k between",
    ),
    # The store: guards, revisions, transactions, groups.
    Mutation(
        "a cancel is not looked for in the commit of a start",
        "flow-store: RunWriter.apply",
        replace("any(map(would_start, changes.attempts.values()))", "False"),
    ),
    Mutation(
        "a step that has ended can be changed",
        "flow-store: UPDATE_STEP",
        replace_text("AND status IN ('PENDING', 'DELAYED', 'RUNNING')", ""),
        tests="test_apply -k terminal",
    ),
    Mutation(
        "an overtaken runner records that it gave up",
        "flow-store: FlowStore.record_giving_up",
        replace("revision", "self._guard(run_key).revision"),
        tests="flow-store/test_giving_up",
    ),
    Mutation(
        "a commit is not synchronised",
        "flow-store: _SETTINGS",
        replace_text("FULL", "NORMAL"),
        tests="test_opening",
    ),
    Mutation(
        "a run that replaces others ends their `finally` too",
        "flow-store: FlowStore._write_cancel",
        drop("if request.now_at is not None:"),
        replace(
            "self._database.change(sql.REQUEST_CANCEL, (*asked, bool(inner), successor, key))",
            "self._database.change(sql.REQUEST_CANCEL, (*asked, bool(inner), successor, key))\n"
            "self._database.change(sql.REQUEST_CANCEL_NOW, (*asked, key))",
        ),
        tests="flow-store/test_groups -k finally",
    ),
    Mutation(
        "two runs of a group can be under way in the file",
        "flow-store: SCHEMA",
        replace_text("UNIQUE INDEX", "INDEX"),
        tests="flow-store/test_groups -k excludes",
    ),
    Mutation(
        "a run that comes takes the place of another one",
        "flow-store: NEXT_PLACE",
        replace_text("+ 1 FROM", "FROM"),
        tests="flow-store/test_groups",
    ),
    Mutation(
        "the store settles a step whatever it is",
        "flow-store: SETTLE_STEP",
        replace_text("AND status IN ('FAILED', 'CANCELLED')", ""),
        tests="test_settling",
    ),
    Mutation(
        "the store settles a step that was decided again meanwhile",
        "flow-store: SETTLE_STEP",
        replace_text("retry_no = ?", "? IS NOT NULL"),
        tests="test_settling",
    ),
    # Locks, call slots, homes and signals.
    Mutation(
        "a call does not hold its place",
        "orchesjob-flow: Performer._hold",
        replace("(*slot.descriptors, *locks)", "locks"),
        tests="test_performer",
    ),
    Mutation(
        "a runner that is stopped keeps the places of its calls",
        "orchesjob-flow: Performer._hold",
        replace(
            "Hold((*slot.descriptors, *locks), slot.release)", "Hold((*slot.descriptors, *locks))"
        ),
        tests="test_performer",
    ),
    Mutation(
        "two runners share the lock",
        "orchesjob-flow: Lock.take",
        replace("fcntl.LOCK_EX", "fcntl.LOCK_SH"),
    ),
    Mutation(
        "the child of `start -d` does not hold the lock",
        "orchesjob-flow: runner/start_child",
        replace("(lock.fileno(), pipe_in_child)", "(pipe_in_child,)"),
        tests="test_detach -k answer",
    ),
    Mutation(
        "a start does not hold the lock of the calls",
        "orchesjob-flow: Performer._start",
        replace("self._hold(slot, self._calls_lock)", "self._hold(place)"),
        tests="test_hanging_calls -k dead",
    ),
    Mutation(
        "a lock on a file that was replaced counts",
        "orchesjob-flow: Lock._try",
        replace("_is_at(path, opened)", "path"),
        tests="test_locks -k replaced",
    ),
    Mutation(
        "a link stands for the directory of a run",
        "orchesjob-flow: is_there",
        replace("os.lstat", "os.stat"),
        tests="flows/test_names -k something_else",
    ),
    # Places that others could change.
    Mutation(
        "a database that others can write to is read",
        "orchesjob-client: exposure_of_home",
        replace("[ORCHESJOB_DATABASE]", "[]"),
        tests="faults/test_exposed_places -k modes",
    ),
    Mutation(
        "another user can lock the cgroup of a job, which then waits for him",
        "orchesjob-client: _make",
        replace("os.mkdir(folder, 448)", "os.mkdir(folder)"),
        tests="test_cgroups -k lock_it",
    ),
    Mutation(
        "`..` after a link is taken for the folder of the link",
        "orchesjob-client: find_exposure",
        replace("_way_to(f'{base}/{folder}')", "_way_to(os.path.normpath(f'{base}/{folder}'))"),
        tests="faults/test_exposed_places -k beside_the_target",
    ),
    Mutation(
        "the processes in a cgroup that somebody else has made are ended",
        "orchesjob-client: processes/cgroups/_folders",
        replace("filter(_is_made_by_us, named)", "named"),
        tests="test_cgroups -k another_user",
    ),
    # The processes of jobs: identity, marks, cgroups, and what is left of an attempt.
    Mutation(
        "each process that appears meanwhile has the whole grace time",
        "orchesjob-client: end_survivors",
        replace("max(0, grace_ends - now)", "grace_sec"),
        tests="orchesjob-client/test_survivors -k one_grace_time",
    ),
    Mutation(
        "what began while the process table was read is not looked at",
        "orchesjob-client: take_snapshot",
        replace("not fresh", "not fresh or rounds > 1"),
        tests="test_chains -k begun",
    ),
    Mutation(
        "the cgroup of a start under way is removed",
        "orchesjob-client: _make",
        replace("_held(folder)", "_held(folder, fcntl.LOCK_UN)"),
        tests="test_cgroups",
    ),
    Mutation(
        "a job is aborted before its processes are recorded",
        "orchesjob-flow: make_next_call",
        replace("attempt.processes_recorded", "True"),
        tests="simulation/test_survivors -k without_a_mark",
    ),
    Mutation(
        "what was recorded of a job before its abort is not looked for",
        "orchesjob-flow: end_left_behind",
        replace("known_processes(context, attempt.row)", "()"),
        tests="simulation/test_survivors -k without_a_mark",
    ),
    Mutation(
        "an exit is told whoever has the descriptor by now",
        "orchesjob-client: JobWatcher._wait",
        replace("not has_ended(pidfd)", "False"),
        tests="test_watcher",
    ),
    Mutation(
        "after a sleep of the machine, a call that hangs is never ended",
        "orchesjob-client: RunningCall.must_end_by",
        replace("min(began_at, seen_at)", "began_at"),
        tests="test_running_calls -k time_is_over",
    ),
    Mutation(
        "a group is ended in which a call was that has ended",
        "orchesjob-client: RunningCall.end",
        replace("not is_alive(self.process)", "False"),
        tests="test_running_calls -k its_number",
    ),
    # Calls of orchesjob.
    Mutation(
        "what a call that hangs has started is left behind",
        "orchesjob-client: _kill",
        replace("os.killpg(process.pid, signal.SIGKILL)", "process.kill()"),
        tests="test_call -k time_limit",
    ),
    # Commands and run keys.
    Mutation(
        "`prune` removes the output of a run that was retried meanwhile",
        "orchesjob-flow: Pruner._remove",
        drop("if self._store.revision_of(run.run_key) != run.revision:"),
        tests="test_pruning -k meanwhile",
    ),
    Mutation(
        "`prune` removes a lock's file after the lock",
        "orchesjob-flow: Pruner._remove",
        replace(
            "gone = patiently(self._settings, forget)",
            "gone = patiently(self._settings, forget); locks.close()",
        ),
        tests="test_pruning -k lock_goes_last",
    ),
    Mutation(
        "`prune` removes a lock's file before the logs that it guards",
        "orchesjob-flow: prune/remove_files",
        replace(
            "(*logs, handle.calls_lock_path, handle.hook_lock_path, handle.lock_path)",
            "(handle.lock_path, *logs, handle.calls_lock_path, handle.hook_lock_path)",
        ),
        tests="test_pruning -k lock_goes_last",
    ),
    Mutation(
        "`prune` empties what a folder was swapped for",
        "orchesjob-flow: FOLDER",
        replace("os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW", "os.O_RDONLY | os.O_DIRECTORY"),
        tests="test_run_directory -k each_moment",
    ),
    Mutation(
        "`prune` goes on wherever a folder was moved to",
        "orchesjob-flow: remove_run_directory",
        drop("if not os.path.samestat(os.fstat(here), outer):"),
        tests="test_run_directory -k each_moment",
    ),
    Mutation(
        "`prune` takes a named run that has not ended",
        "flow-store: SELECT_ENDED_RUN",
        replace_text(" AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')", ""),
        tests="test_prune -k not_ended",
    ),
    Mutation(
        "a cancel is recorded before its home is compared",
        "orchesjob-flow: request_and_await",
        drop("handle = handle.in_home_of(run)"),
        tests="test_other_home -k takeover",
    ),
)
