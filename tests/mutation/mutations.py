"""The table of mutations: what each takes away, where, and which tests must notice."""

from typing import NamedTuple

ENGINE = "orchesjob-flow/src/orchesjob_flow/engine"
SHELL = "orchesjob-flow/src/orchesjob_flow"
STORE = "flow-store/src/flow_store"
SPEC = "flow-spec/src/flow_spec"
CLIENT = "orchesjob-client/src/orchesjob_client"


class Mutation(NamedTuple):
    """One change of the code: `old`, which is once in `file`, becomes `new`.

    `tests` names the tests of which one must fail then; without them it is the simulation that must
    see an invariant broken.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str = ""

    def put_into(self, text: str) -> str:
        """Return the text of the file with the mutation in it.

        Raises:
            ValueError: What it replaces is not there, or more than once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{text.count(self.old)} times in {self.file}: {self.old!r}")
        return text.replace(self.old, self.new)


MUTATIONS = (
    Mutation(
        "an effect before its commit",
        f"{SHELL}/runner/loop.py",
        "        self._commit(decision)\n        self._checkpoint",
        "        self._act(decision.effects)\n"
        "        self._commit(decision)\n"
        "        decision.effects.clear()\n"
        "        self._checkpoint",
    ),
    Mutation(
        "effects although the commit failed",
        f"{SHELL}/runner/loop.py",
        "                self._pause(backoff)\n",
        "                self._pause(backoff)\n                return\n",
    ),
    Mutation(
        "no look for survivors before a retry",
        f"{ENGINE}/retries.py",
        "    else:\n        look_for_survivors(turn, step)\n",
        "    else:\n        turn.run.enqueue(step)\n",
    ),
    Mutation(
        "a survivor does not keep the next attempt waiting",
        f"{ENGINE}/survivors.py",
        "    if not survivors:\n        turn.run.enqueue(step)\n",
        "    if not survivors or step.row.failures > 1:\n        turn.run.enqueue(step)\n",
    ),
    Mutation(
        "a lost attempt has failed although a process of it lives",
        f"{ENGINE}/losses.py",
        "    elif survivors:\n        note",
        "    elif survivors and attempt.row.number > 1:\n        note",
    ),
    Mutation(
        "what somebody else has aborted has ended at once",
        f"{ENGINE}/attempts.py",
        "            losses.aborted(turn, attempt, describe_abort(report))\n",
        "            outcomes.failed(turn, step, attempt, describe_abort(report))\n",
    ),
    Mutation(
        "the end of what is alive of a lost attempt goes unnoticed",
        f"{ENGINE}/losses.py",
        "    if attempt.call is None:\n        look_later",
        "    if attempt.call is not None:\n        look_later",
    ),
    Mutation(
        "an end that came before the watch goes unnoticed",
        f"{ENGINE}/losses.py",
        "watch is Watch.GONE or loss.exited:",
        "watch is Watch.GONE:",
    ),
    Mutation(
        "a lost attempt is not ended, though that was decided meanwhile",
        f"{ENGINE}/losses.py",
        "    if attempt.row.abort_reason is not None:\n"
        "        calls.end_remains(turn, attempt)\n"
        "    elif survivors:",
        "    if survivors:",
        "packages/orchesjob-flow/tests/engine/test_update.py",
    ),
    Mutation(
        "what is lost and alive has no time limit",
        f"{ENGINE}/losses.py",
        "        set_timeout(turn, step, attempt)\n",
        "        pass\n",
        "packages/orchesjob-flow/tests/simulation/test_losses.py",
    ),
    Mutation(
        "a process is watched though its PID is another's by now",
        f"{CLIENT}/processes/watcher.py",
        "Watch.WATCHING if alive and not has_ended(pidfd)",
        "Watch.WATCHING if not has_ended(pidfd)",
        "packages/orchesjob-client/tests/test_watcher.py",
    ),
    Mutation(
        "an aborted job is taken for gone",
        f"{ENGINE}/attempts.py",
        "            calls.end_remains(turn, attempt)\n        case Verdict.ABORTED:",
        "            remains_seen(turn, step, attempt, [])\n        case Verdict.ABORTED:",
    ),
    Mutation(
        "a lost job is taken for gone when it is to be ended",
        f"{ENGINE}/attempts.py",
        "        case Verdict.ABORTED | Verdict.LOST | Verdict.NEVER_RAN if ending:",
        "        case Verdict.LOST if ending:\n"
        "            remains_seen(turn, step, attempt, [])\n"
        "        case Verdict.ABORTED | Verdict.NEVER_RAN if ending:",
    ),
    Mutation(
        "a status without an answer fails the step",
        f"{ENGINE}/attempts.py",
        "    if call is not Call.START or error.retryable:",
        "    if call is not Call.STATUS and (call is not Call.START or error.retryable):",
    ),
    Mutation(
        "a timeout on the wall clock",
        f"{ENGINE}/time_limits.py",
        "since + limit - turn.now.mono",
        "attempt.row.started_at + limit - turn.now.wall",
    ),
    Mutation(
        "a retry delay on the wall clock",
        f"{ENGINE}/retries.py",
        "remaining = turn.remaining_sec(at, mono, boot, step.spec.delay_after(row.failures))",
        "remaining = at - turn.now.wall",
    ),
    Mutation(
        "the flow's timeout on the wall clock",
        f"{ENGINE}/ending.py",
        "turn.remaining_sec(*run.deadline, at_most=limit)",
        "run.deadline.at - turn.now.wall",
    ),
    Mutation(
        "a run that is resumed has no deadline",
        f"{ENGINE}/update.py",
        "        ending.await_deadline(turn)\n",
        "        if not any(step.row.attempt_no for step in turn.run.steps):\n"
        "            ending.await_deadline(turn)\n",
    ),
    Mutation(
        "a step starts although the run's time is over",
        f"{ENGINE}/update.py",
        "    if run.ending is None:\n        steps.decide_steps(turn)",
        "    if run.cancel is None:\n        steps.decide_steps(turn)",
    ),
    Mutation(
        "a step's timeout takes the place of the run's",
        f"{ENGINE}/run.py",
        "ranks.index(self) > ranks.index(AbortReason(other))",
        "ranks.index(self) != ranks.index(AbortReason(other))",
        "packages/orchesjob-flow/tests/simulation/test_flow_timeouts.py",
    ),
    Mutation(
        "no retry delay",
        f"{ENGINE}/retries.py",
        "    delay_sec = step.spec.delay_after(step.row.failures)\n",
        "    delay_sec = 0.0\n",
    ),
    Mutation(
        "a retry delay does not grow",
        f"{ENGINE}/retries.py",
        "    delay_sec = step.spec.delay_after(step.row.failures)\n",
        "    delay_sec = step.spec.delay_after(1)\n",
    ),
    Mutation(
        "a cancel is not looked for in the commit of a start",
        f"{STORE}/run_writer.py",
        "        if request is not None and any(",
        "        if request is not None and run_id < 0 and any(",
    ),
    Mutation(
        "a start that was taken back is performed",
        f"{ENGINE}/ending.py",
        "        turn.decision.effects.remove(start)\n",
        "",
    ),
    Mutation(
        "the revision is not compared",
        f"{STORE}/run_writer.py",
        "        if guard.revision != revision:",
        "        if guard.revision < 0:",
    ),
    Mutation(
        "a step that has ended can be changed",
        f"{STORE}/sql.py",
        "          AND status IN ('PENDING', 'DELAYED', 'RUNNING')\n",
        "",
        "packages/flow-store/tests",
    ),
    Mutation(
        "a dead start is charged",
        f"{ENGINE}/outcomes.py",
        "    turn.record_step(step, status=StepStatus.PENDING)\n    step.dead_starts += 1",
        "    failures = step.row.failures + 1\n"
        "    turn.record_step(step, status=StepStatus.PENDING, failures=failures)\n"
        "    step.dead_starts += 1",
    ),
    Mutation(
        "a start is taken for dead while its launcher lives",
        f"{ENGINE}/attempts.py",
        "    if alive or attempt.job is None:",
        "    if attempt.job is None:",
        "packages/orchesjob-flow/tests/simulation/test_dead_starts.py",
    ),
    Mutation(
        "a status that failed is never asked for again",
        f"{ENGINE}/patience.py",
        "    attempt.trouble = trouble\n    ask_later(turn, attempt, trouble.delay_sec)\n",
        "    attempt.trouble = trouble\n",
    ),
    Mutation(
        "jobs are polled for without a pause",
        f"{ENGINE}/polling.py",
        "        turn.set_timer(turn.run.limits.poll_interval_sec, Timer.POLL)",
        "        turn.set_timer(0.2, Timer.POLL)",
    ),
    Mutation(
        "several timers ask about one attempt side by side",
        f"{ENGINE}/update.py",
        "        case Timer.ASK_STATUS if turn.now.mono >= attempt.ask_at:",
        "        case Timer.ASK_STATUS:",
        "packages/orchesjob-flow/tests/simulation/test_watching.py",
    ),
    Mutation(
        "the pause between questions overflows",
        f"{ENGINE}/polling.py",
        "min(2**attempt.questions,",
        "min(2.0**attempt.questions,",
        "packages/orchesjob-flow/tests/simulation/test_watching.py",
    ),
    Mutation(
        "a job with another command is accepted",
        f"{ENGINE}/job_status.py",
        "    if not report.is_of(spec.command):",
        "    if False:",
    ),
    Mutation(
        "an exit code that skips counts as a success",
        f"{SPEC}/step.py",
        '            return "SKIPPED"',
        '            return "SUCCEEDED"',
    ),
    Mutation(
        "a failure is repeated whatever its exit code",
        f"{ENGINE}/outcomes.py",
        " or (retried and exit_code not in retried):",
        ":",
    ),
    Mutation(
        "a failure that is allowed makes the run fail",
        f"{ENGINE}/steps.py",
        "return step.row.status is StepStatus.FAILED and not step.spec.allow_failure",
        "return step.row.status is StepStatus.FAILED",
    ),
    Mutation(
        "a condition is evaluated before all its steps have ended",
        f"{ENGINE}/run.py",
        "{spec.id: spec.waits_for for spec in flow.steps}",
        "{spec.id: spec.depends_on for spec in flow.steps}",
    ),
    Mutation(
        "a skipped step counts as a success",
        f"{SPEC}/predicates.py",
        'or outcome == (predicate or "succeeded").upper()',
        'or (predicate is None and outcome != "FAILED")',
    ),
    Mutation(
        "giving up ends the run",
        f"{ENGINE}/patience.py",
        "        turn.run.gave_up = True\n",
        "        turn.run.gave_up = True\n"
        "        turn.record_run(type(turn.run.status).FAILED, reason)\n",
    ),
    Mutation(
        "the patience has no end",
        f"{ENGINE}/patience.py",
        "    if turn.now.mono - trouble.since >= turn.run.limits.patience_sec:",
        "    if turn.now.mono < trouble.since:",
        "packages/orchesjob-flow/tests/simulation/test_patience.py",
    ),
    Mutation(
        "one call that hangs ends the runner",
        f"{ENGINE}/turn.py",
        "        limit = limits.call_sec + allow_sec + SLACK_SEC + limits.patience_sec\n",
        "        limit = (limits.call_sec + allow_sec) / 2\n",
    ),
    Mutation(
        "a call may hang for as long as the patience lasts",
        f"{ENGINE}/run.py",
        "min(max(SHORTEST_CALL_SEC, self.patience_sec / 4), LONGEST_CALL_SEC)",
        "max(SHORTEST_CALL_SEC, self.patience_sec)",
        "packages/orchesjob-flow/tests/simulation/test_patience.py",
    ),
    Mutation(
        "a call that hangs is not ended when the engine says so",
        f"{SHELL}/runner/assembly.py",
        "CallLimits(limits.call_sec, limits.call_sec, limits.call_sec)",
        "CallLimits()",
        "tests/faults/test_hanging_calls.py",
    ),
    Mutation(
        "what a call that hangs has started is left behind",
        f"{CLIENT}/call.py",
        "    os.killpg(process.pid, signal.SIGKILL)\n",
        "    process.kill()\n",
        "tests/faults/test_hanging_calls.py",
    ),
    Mutation(
        "a start of an earlier boot is repeated",
        f"{ENGINE}/attempts.py",
        "    elif attempt.row.boot_id != turn.now.boot:",
        "    elif not attempt.row.boot_id:",
    ),
    Mutation(
        "a job that orchesjob has forgotten is started again",
        f"{ENGINE}/attempts.py",
        "    elif attempt.row.job_id is not None:",
        '    elif attempt.row.job_id == "":',
    ),
    Mutation(
        "a job of an earlier boot is trusted",
        f"{ENGINE}/attempts.py",
        "        case _ if attempt.row.boot_id != turn.now.boot:",
        "        case _ if not attempt.row.boot_id:",
    ),
    Mutation(
        "a process id is trusted, whoever has it now",
        f"{ENGINE}/attempts.py",
        "    if known and attempt.contradictions >= CONTRADICTIONS:",
        "    if not known and attempt.contradictions >= CONTRADICTIONS:",
    ),
    Mutation(
        "an abort without a look at who has the process id",
        f"{ENGINE}/calls.py",
        "    elif attempt.watch is None:\n",
        "    elif attempt.watch is None and attempt.row.abort_reason is None:\n",
    ),
    Mutation(
        "the end of a worker is an outcome",
        f"{ENGINE}/attempts.py",
        "    attempt.worker_gone = True\n    calls.ask_status(turn, attempt)",
        "    attempt.worker_gone = True\n"
        "    step = turn.run.steps[attempt.row.position]\n"
        '    outcomes.failed(turn, step, attempt, "its worker is gone")',
    ),
    Mutation(
        "more steps run at once than the flow allows",
        f"{ENGINE}/run.py",
        "(most is None or self.attempting < most)",
        "(most is None or self.attempting <= most)",
    ),
    Mutation(
        "a run is CANCELLED while something of it is alive",
        f"{ENGINE}/ending.py",
        "    if not survivors:\n",
        "    if len(survivors) < 2:\n",
    ),
    Mutation(
        "what a foreign command does is ended by a cancel",
        f"{ENGINE}/survivors.py",
        " - step.foreign_numbers\n",
        "\n",
        "packages/orchesjob-flow/tests/simulation/test_retries.py",
    ),
    Mutation(
        "something is ended after the run is CANCELLED",
        f"{ENGINE}/ending.py",
        "    if not survivors:\n        finish_ending(turn)\n",
        "    if not survivors:\n        turn.run.sweeping = False\n        finish_ending(turn)\n",
    ),
    Mutation(
        "two runners share the lock",
        f"{SHELL}/home/locks.py",
        "cls._try(path, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "cls._try(path, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    ),
    Mutation(
        "the child of `start -d` does not hold the lock",
        f"{SHELL}/runner/background.py",
        "            pass_fds=(lock.fileno(), ready_in_child),",
        "            pass_fds=(ready_in_child,),",
        "tests/commands/test_detach.py",
    ),
    Mutation(
        "a start under way does not hold up the next runner",
        f"{SHELL}/runner/performer.py",
        "                start_timeout_sec=effect.start_timeout_sec,\n"
        "                inherit_fd=self._calls_lock,\n",
        "                start_timeout_sec=effect.start_timeout_sec,\n",
        "-m long tests/faults/test_bad_answers.py",
    ),
    Mutation(
        "the processes of an attempt have no mark",
        f"{CLIENT}/processes/survivors.py",
        '    return {**environ, MARK: joined(environ.get(MARK, ""), own)}',
        "    return {**environ}",
        "tests/commands/test_cancel.py",
    ),
    Mutation(
        "what is inside a step has its own mark alone",
        f"{CLIENT}/processes/survivors.py",
        'MARK: joined(environ.get(MARK, ""), own)}',
        "MARK: own}",
        "tests/scenarios/test_nested_runs.py",
    ),
    Mutation(
        "only the last of several marks is found",
        f"{CLIENT}/processes/marks.py",
        ".split(_JOIN.encode()):",
        ".split(_JOIN.encode())[-1:]:",
        "packages/orchesjob-client/tests/test_survivors.py",
    ),
    Mutation(
        "a cancel leaves the runs inside the run alone",
        f"{STORE}/store.py",
        "for key in (run_key, *self.unfinished_inside(run_key)):",
        "for key in (run_key,):",
        "packages/flow-store/tests/test_cancel.py",
    ),
    Mutation(
        "nobody carries out the cancel of a run inside another",
        f"{SHELL}/commands/cancel.py",
        "        if run.status is FlowStatus.CANCELLED:",
        "        if run.status is FlowStatus.PENDING:",
        "tests/scenarios/test_nested_runs.py",
    ),
    Mutation(
        "a run begins inside one that is cancelled",
        f"{STORE}/store.py",
        "                self._refuse_cancelled(parent.run_key)\n",
        "                pass\n",
        "packages/flow-store/tests/test_cancel.py",
    ),
    Mutation(
        "`resume --all` goes on with what belonged to an attempt that is over",
        f"{SHELL}/commands/resume.py",
        "for run in abandoned if run not in left",
        "for run in abandoned",
        "-m long tests/scenarios/test_nested_runs.py",
    ),
    Mutation(
        "whatever a step resumes becomes a part of it",
        f"{SHELL}/home/parent.py",
        "    return unmarked(environ)",
        "    return environ",
        "packages/orchesjob-flow/tests/home/test_parent.py",
    ),
    Mutation(
        "variables alone make a run one inside another",
        f"{SHELL}/home/parent.py",
        " not in recorded or not is_marked(environ, home, key):",
        " not in recorded:",
        "packages/orchesjob-flow/tests/home/test_parent.py",
    ),
    Mutation(
        "a commit is not synchronised",
        f"{STORE}/database.py",
        '"PRAGMA synchronous = FULL"',
        '"PRAGMA synchronous = NORMAL"',
        "packages/flow-store/tests/test_opening.py",
    ),
    Mutation(
        "a stranger with the worker's process id is watched",
        f"{CLIENT}/processes/watcher.py",
        "    return Watch.WATCHING if job_id.encode() in command_line else Watch.GONE",
        "    return Watch.WATCHING",
        "packages/orchesjob-client/tests/test_watcher.py",
    ),
    Mutation(
        "a retry repeats what has succeeded",
        f"{SHELL}/engine/retry_plan.py",
        "for step_id, status in statuses.items() if status in UNSUCCESSFUL}",
        "for step_id, status in statuses.items() if status.is_terminal}",
        "tests/scenarios/test_morning_after.py",
    ),
    Mutation(
        "a retry keeps what has run after a step that runs again",
        f"{ENGINE}/retry_plan.py",
        "        again |= dependents(flow, again)\n",
        "        again |= {\n"
        "            name\n"
        "            for name in dependents(flow, again)\n"
        "            if statuses.get(name) is StepStatus.SKIPPED\n"
        "        }\n",
    ),
    Mutation(
        "a retry decides again only what depends directly on what runs again",
        f"{ENGINE}/retry_plan.py",
        "any(other in steps or other in found for",
        "any(other in steps for",
    ),
    Mutation(
        "retry --only is as retry",
        f"{ENGINE}/retry_plan.py",
        "    if not only:\n",
        "    if not only or steps:\n",
        "packages/orchesjob-flow/tests/engine/test_retry_plan.py",
    ),
    Mutation(
        "a retry is not numbered",
        f"{STORE}/run_writer.py",
        'Step.waiting(position, "", retries, retry_no)',
        'Step.waiting(position, "", retries)',
        "packages/flow-store/tests/test_reopening.py",
    ),
    Mutation(
        "a skip after a retry is explained by an exit code of before",
        f"{SHELL}/views/reasons.py",
        "    if step.has_begun:\n",
        "    if step.attempt_no:\n",
        "packages/orchesjob-flow/tests/views/test_reasons.py",
    ),
    Mutation(
        "a kept outcome is explained by what ran again without it",
        f"{SHELL}/views/reasons.py",
        "    if retried:\n",
        "    if len(retried) > len(waits):\n",
        "packages/orchesjob-flow/tests/views/test_reasons.py",
    ),
    Mutation(
        "a kept outcome is explained by its condition of today",
        f"{SHELL}/commands/explain.py",
        "    if spec.condition is None or retried_without(rows[spec.id], waits_for):\n",
        "    if spec.condition is None:\n",
        "tests/commands/test_retry.py",
    ),
    Mutation(
        "a job of before a retry is shown as today's",
        f"{SHELL}/views/run_json.py",
        " if step.has_begun else None\n",
        "\n",
        "packages/orchesjob-flow/tests/views/test_run_json.py",
    ),
    Mutation(
        "the last words of a failed step are those of an attempt before",
        f"{SHELL}/views/failures.py",
        "Choice(step.step_id, step.attempt_no, (",
        "Choice(step.step_id, None, (",
        "tests/commands/test_retry.py",
    ),
    Mutation(
        "a step keeps an outcome that its new exit codes deny",
        f"{SHELL}/engine/retry_plan.py",
        "    return code is None or spec.outcome_of(code) == attempt.status",
        "    return True",
        "tests/commands/test_retry.py",
    ),
    Mutation(
        "doctor judges by exit codes that came later",
        f"{SHELL}/commands/doctor_audit.py",
        "        if not recorded.decisive:",
        "        if not recorded.spec:",
        "tests/commands/test_doctor.py",
    ),
    Mutation(
        "doctor believes any end of an attempt that was retried",
        f"{SHELL}/commands/doctor_audit.py",
        "            return code == recorded.code",
        "            return True",
        "tests/commands/test_doctor.py",
    ),
    Mutation(
        "survivors are looked for only once",
        f"{CLIENT}/processes/survivors.py",
        "_LOOKS = 2\n",
        "_LOOKS = 1\n",
        "packages/orchesjob-client/tests/test_survivors.py",
    ),
    Mutation(
        "what began while the process table was read is not looked at",
        f"{CLIENT}/processes/census.py",
        "        if not fresh:\n",
        "        if not fresh or rounds > 1:\n",
        "packages/orchesjob-client/tests/test_chains.py",
    ),
    Mutation(
        "who was gone before it was read counts as read",
        f"{CLIENT}/processes/census.py",
        "                continue\n            known[pid] = one\n",
        "                known[pid] = Unread.DEAD\n                continue\n"
        "            known[pid] = one\n",
        "packages/orchesjob-client/tests/test_processes.py",
    ),
    Mutation(
        "the group of a process that forks and exits is not killed with it",
        f"{CLIENT}/processes/ending.py",
        "    if is_ours and sighted.group > 1",
        "    if sighted.group < 1",
        "packages/orchesjob-client/tests/test_chains.py",
    ),
    Mutation(
        "a stranger in the group of a marked process is killed with it",
        f"{CLIENT}/processes/ending.py",
        "    if is_ours and sighted.group > 1",
        "    if sighted.group > 1",
        "packages/orchesjob-client/tests/test_chains.py",
    ),
    Mutation(
        "a start does not enter the cgroup of its attempt",
        f"{CLIENT}/call.py",
        "preexec_fn=None if cgroup is None else",
        "preexec_fn=None if cgroup is None or True else",
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "a run gives its attempts no cgroups",
        f"{SHELL}/runner/performer.py",
        "                cgroup=cgroup,\n",
        "",
        "tests/faults/test_hiding.py",
    ),
    Mutation(
        "who is in a job's cgroup is not looked for",
        f"{CLIENT}/processes/kinship.py",
        " or members.get(pid))",
        ")",
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "a cgroup is not ended at once",
        f"{CLIENT}/processes/cgroups.py",
        '(folder / "cgroup.kill").write_text("1", "ascii")',
        '(folder / "cgroup.kill").exists()',
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "the cgroup of a start under way is removed",
        f"{CLIENT}/processes/cgroups.py",
        "            stack.enter_context(_held(folder))\n",
        "",
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "a run that goes on without its step stays in the step's cgroup",
        f"{CLIENT}/processes/cgroups.py",
        " and mark_of(path) not in outer:",
        " and mark_of(path) not in outer and not outer == []:",
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "who ends a cgroup from within ends itself",
        f"{CLIENT}/processes/cgroups.py",
        "    if not _is_ours(folder):\n",
        "    if folder:\n",
        "packages/orchesjob-client/tests/test_cgroups.py",
    ),
    Mutation(
        "the kin of a job's processes is not looked for",
        f"{CLIENT}/processes/kinship.py",
        "        found = len(inherited)\n",
        "        found = 0\n",
        "packages/orchesjob-client/tests/test_kinship.py",
    ),
    Mutation(
        "a number that another process had before makes kin",
        f"{CLIENT}/processes/kinship.py",
        "if kin is not None and kin.started_ticks <= entry.started_ticks:",
        "if kin is not None:",
        "packages/orchesjob-client/tests/test_kinship.py",
    ),
    Mutation(
        "an exit is told whoever has the descriptor by now",
        f"{CLIENT}/processes/watcher.py",
        "if pidfd not in self._tokens or not has_ended(pidfd):",
        "if pidfd not in self._tokens:",
        "packages/orchesjob-client/tests/test_watcher.py",
    ),
    Mutation(
        "a lock on a file that was replaced counts",
        f"{SHELL}/home/locks.py",
        "        if lock.is_current():\n            return lock\n",
        "        if lock.path:\n            return lock\n",
        "packages/orchesjob-flow/tests/home/test_locks.py",
    ),
    Mutation(
        "a request in the middle of a look is missed",
        f"{SHELL}/runner/loop.py",
        "            version = self._store.data_version()\n"
        "            if version == self._seen_version:\n"
        "                return\n"
        "            request = self._store.cancel_request(self.run.run_key)\n",
        "            request = self._store.cancel_request(self.run.run_key)\n"
        "            version = self._store.data_version()\n"
        "            if version == self._seen_version:\n"
        "                return\n",
        "packages/orchesjob-flow/tests/simulation/test_cancelling.py",
    ),
    Mutation(
        "`cancel` waits by its own grace, not by that of the first request",
        f"{SHELL}/commands/cancel.py",
        "    grace_of_first = None if request is None else request.grace_sec",
        "    grace_of_first = None if request is None else grace_sec",
        "tests/commands/test_cancel.py -k react",
    ),
    Mutation(
        "`doctor` trusts an older record that contradicts itself",
        f"{SHELL}/commands/doctor_audit.py",
        "chosen or not one.is_settled]",
        "chosen]",
        "packages/orchesjob-flow/tests/commands/test_doctor_audit.py",
    ),
    Mutation(
        "`prune` removes the files of a run that the store keeps",
        f"{SHELL}/commands/prune.py",
        "        if not patiently(settings, remove_it):\n            return None\n",
        "        patiently(settings, remove_it)\n",
        "tests/commands/test_prune.py -k meanwhile",
    ),
    Mutation(
        "`prune` removes the output of a run that was retried meanwhile",
        f"{SHELL}/commands/prune.py",
        "            if found[0].revision != run.revision:\n                return None\n",
        "",
        "tests/commands/test_prune.py -k meanwhile",
    ),
    Mutation(
        "`prune` forgets a run whose output is left",
        f"{SHELL}/commands/prune.py",
        "                kept[run.run_key] = str(error)\n",
        "                kept[run.run_key] = str(error)\n"
        "                remove(store, run, ended_by, settings, None)\n",
        "tests/commands/test_prune.py -k orchesjob_fails",
    ),
    Mutation(
        "`prune` removes the output of runs that keep theirs",
        f"{SHELL}/commands/prune.py",
        "        cleaner = None if pruning.keep_output else Cleaner(settings)\n",
        "        cleaner = Cleaner(settings)\n",
        "tests/commands/test_prune.py -k keep_output",
    ),
    Mutation(
        "`prune` removes a run that was retried and has ended again",
        f"{STORE}/sql.py",
        "          AND revision = ? AND finished_at <= ?\n",
        "          AND ? >= 0 AND ? > 0\n",
        "packages/flow-store/tests/test_removing.py",
    ),
    Mutation(
        "`doctor` stops at the first damaged record",
        f"{SHELL}/commands/doctor_audit.py",
        "            except (DamagedRecord, FlowSpecError) as error:",
        "            except FlowSpecError as error:",
        "tests/commands/test_doctor.py -k damaged_record",
    ),
    Mutation(
        "the units of a duration in any order",
        f"{SPEC}/durations.py",
        '"".join(f"(?:([0-9]+){unit})?" for unit in _SECONDS_IN)',
        '"(?=.)" + "".join(f"(?:.*?([0-9]+){unit})?" for unit in _SECONDS_IN)',
        "packages/flow-spec/tests/test_scalars.py",
    ),
    Mutation(
        "a merged key wins over that of the mapping itself",
        f"{SPEC}/merge_keys.py",
        "    taken = {name for name, _ in mapping.texts()}\n",
        "    taken = set[str]()\n",
        "packages/flow-spec/tests/test_merge_keys.py",
    ),
    Mutation(
        "what a merged mapping has twice is taken once",
        f"{SPEC}/merge_keys.py",
        "            mapping.entries += [\n                (key, value)\n"
        "                for key, value in base.entries\n",
        "            mapping.entries += [\n                (key, value)\n"
        "                for key, value in {k.text: (k, v) for k, v in base.entries}.values()\n",
        "packages/flow-spec/tests/test_merge_keys.py",
    ),
    Mutation(
        "a default wins over what a step sets",
        f"{SPEC}/defaults.py",
        '{"shell": SHELL, **defaults, **values}',
        '{"shell": SHELL, **values, **defaults}',
        "packages/flow-spec/tests/test_defaults.py",
    ),
    Mutation(
        "steps are read before the defaults that stand behind them",
        f"{SPEC}/defaults.py",
        'key=lambda entry: entry[0] != "defaults"',
        "key=lambda entry: 0",
        "packages/flow-spec/tests/test_defaults.py",
    ),
    Mutation(
        "an exit code of a step and of the defaults has two meanings",
        f"{SPEC}/defaults.py",
        "        self._keep_apart(values, defaults, node, path, reading)\n",
        "        self._keep_apart(values, {}, node, path, reading)\n",
        "packages/flow-spec/tests/test_defaults.py",
    ),
    Mutation(
        "a script goes on after a failure in a pipe",
        f"{SPEC}/script.py",
        'SHELL = ("bash", "-euo", "pipefail", "-c")',
        'SHELL = ("bash", "-eu", "+o", "pipefail", "-c")',
        "tests/flows/test_scripts.py -k stops",
    ),
    Mutation(
        "lines of a script are joined without a word",
        f"{SPEC}/script.py",
        "        if node.folded:\n",
        "        if False:\n",
        "packages/flow-spec/tests/test_script.py",
    ),
    Mutation(
        "a run is recorded though there is no bash for its scripts",
        f"{SHELL}/commands/flow_files.py",
        "    if lacking:\n",
        "    if False:\n",
        "tests/flows/test_scripts.py -k no_bash",
    ),
    Mutation(
        "a shell is looked for where the step would not look",
        f"{SHELL}/commands/flow_files.py",
        'path = {**dict(flow.env), **dict(step.env)}.get("PATH")',
        "path = None",
        "tests/flows/test_scripts.py -k path",
    ),
    Mutation(
        "a file of variables may name another home of orchesjob",
        f"{SPEC}/env_file.py",
        "    if flaw_of_variable(name) is not None:\n",
        "    if False:\n",
        "packages/flow-spec/tests/test_env_file.py",
    ),
    Mutation(
        "an error of decoding tells what is in a file of variables",
        f"{SPEC}/env_file.py",
        'raise EnvFileError(source, "is not UTF-8 text", number) from None',
        "raise",
        "packages/flow-spec/tests/test_env_file.py",
    ),
    Mutation(
        "the flow's files lie over a step's variables",
        f"{SPEC}/flow.py",
        "*(EnvFile(path, of_flow) for path in self.env_file)",
        "*(EnvFile(path, frozenset()) for path in self.env_file)",
        "packages/flow-spec/tests/test_env_file.py",
    ),
    Mutation(
        "orchesjob is called although a file of variables is missing",
        f"{SHELL}/runner/performer.py",
        "            return StartPrevented(effect.attempt, str(error))\n",
        "            environ = {**self._environ, **effect.env}\n",
        "packages/orchesjob-flow/tests/runner/test_performer.py -k files",
    ),
    Mutation(
        "a pipe that nobody fills is waited for without an end",
        f"{SHELL}/runner/env_files.py",
        "        if kind == stat.S_IFIFO and not _is_ready(descriptor, deadline):\n",
        "        if False:\n",
        "packages/orchesjob-flow/tests/runner/test_env_files.py",
    ),
    Mutation(
        "a start that was prevented during a cancel fails its step",
        f"{ENGINE}/attempts.py",
        "        outcomes.ended_with_run(turn, step, attempt)\n"
        "    else:\n"
        '        outcomes.failed(turn, step, attempt, f"could not be started: {reason}")\n',
        '        outcomes.failed(turn, step, attempt, f"could not be started: {reason}")\n'
        "    else:\n"
        '        outcomes.failed(turn, step, attempt, f"could not be started: {reason}")\n',
        "packages/orchesjob-flow/tests/simulation/test_cancelling.py -k under_way",
    ),
    Mutation(
        "a flow may set variables that break orchesjob",
        f"{SPEC}/environment.py",
        "    if _BREAKS.match(name):",
        "    if _BREAKS.fullmatch(name):",
        "packages/flow-spec/tests/test_variables.py",
    ),
    Mutation(
        "of two run keys the last one is taken",
        f"{SHELL}/cli/values.py",
        "        if len(values) > 1:\n",
        "        if len(values) < 0:\n",
        "tests/commands/test_run_keys.py -k twice",
    ),
    Mutation(
        "the last line of a failed step is printed however long it is",
        f"{SHELL}/views/failures.py",
        "        most_bytes=LAST_BYTES,\n",
        "",
        "tests/commands/test_progress.py -k long",
    ),
    Mutation(
        "bash is given a run key as it is",
        f"{SHELL}/cli/shells.py",
        r'            return SPECIAL.sub(r"\\\g<0>", text)',
        "            return text",
        "tests/commands/test_completion.py -k quotes",
    ),
    Mutation(
        "the umask decides whether orchesjob's home can be used",
        f"{SHELL}/main.py",
        "    os.umask(os.umask(OTHERS) & OTHERS)\n",
        "",
        "tests/faults/test_security.py -k against_the_owner",
    ),
    Mutation(
        "a home that orchesjob cannot name is noticed when the patience ends",
        f"{SHELL}/home/orchesjob_home.py",
        "        home.encode()\n",
        "        pass\n",
        "packages/orchesjob-flow/tests/home/test_orchesjob_home.py -k utf_8",
    ),
    Mutation(
        "a pipe that the caller has not opened is read",
        f"{SPEC}/source.py",
        "            if kind not in (_READABLE_IF_OPENED if is_opened else _READABLE):\n",
        "            if kind not in _READABLE_IF_OPENED:\n",
        "packages/flow-spec/tests/test_hostile.py -k without_waiting",
    ),
    Mutation(
        "the umask decides whether the home can be used",
        f"{SHELL}/home/paths.py",
        "        folder.chmod(0o700)",
        "        folder.chmod(folder.stat().st_mode)",
        "packages/orchesjob-flow/tests/home/test_paths.py",
    ),
    Mutation(
        "a pipe in place of a step's output is waited for",
        f"{SHELL}/views/step_output.py",
        "    if not path.is_file() and not path.is_dir():",
        "    if not path.exists():",
        "packages/orchesjob-flow/tests/views/test_step_output.py -k no_file",
    ),
    Mutation(
        "`doctor` is content with a file in place of a folder",
        f"{SHELL}/commands/doctor.py",
        "                refuse_no_folder(folder)\n",
        "",
        "tests/commands/test_doctor.py -k folder",
    ),
    Mutation(
        "`explain` obeys what is recorded",
        f"{SHELL}/commands/explain.py",
        'f"{visible(line)}\\n" for line in lines',
        'f"{line}\\n" for line in lines',
        "tests/faults/test_security.py -k recorded",
    ),
    Mutation(
        "`list` obeys a flow's id",
        f"{SHELL}/views/table.py",
        "        visible(run.flow_id),\n",
        "        run.flow_id,\n",
        "tests/faults/test_security.py -k recorded",
    ),
    Mutation(
        "`list` obeys a run key",
        f"{SHELL}/views/table.py",
        "{INSIDE * level}{visible(run.run_key)}",
        "{INSIDE * level}{run.run_key}",
        "tests/faults/test_security.py -k recorded",
    ),
    Mutation(
        "a step is not told of failures that are allowed",
        f"{ENGINE}/steps.py",
        "    if status is StepStatus.FAILED:\n        turn.run.failed.add",
        "    if status is StepStatus.FAILED and not step.spec.allow_failure:\n"
        "        turn.run.failed.add",
        "packages/orchesjob-flow/tests/simulation/test_failed_steps.py",
    ),
    Mutation(
        "a step is not told of failures before a takeover",
        f"{ENGINE}/run.py",
        "if s.row.status is StepStatus.FAILED}",
        "if s.row.status is StepStatus.FAILED and run.revision == 0}",
        "packages/orchesjob-flow/tests/simulation/test_failed_steps.py",
    ),
    Mutation(
        "a pool with threads fails where no more can be started",
        f"{SHELL}/runner/worker_pool.py",
        "            if self._threads == 0:\n                raise\n",
        "            raise\n",
        "packages/orchesjob-flow/tests/runner/test_worker_pool.py",
    ),
    Mutation(
        "a call that runs out of memory is answered by an internal error",
        f"{SHELL}/runner/performer.py",
        "        except MemoryError:\n            pass\n",
        "",
        "packages/orchesjob-flow/tests/runner/test_performer.py -k breaks",
    ),
    Mutation(
        "no patience with a machine that has no threads left",
        f"{SHELL}/runner/assembly.py",
        "        wait_out(handle, performer.prepare)\n",
        "        performer.prepare()\n",
        "tests/faults/test_scarcity.py -k memory_from",
    ),
    Mutation(
        "without descriptors, nobody seems to hold a lock",
        f"{SHELL}/home/locks.py",
        '            raise Scarcity(f"cannot open {path}", lack) from error\n        return None\n',
        "            pass\n        return None\n",
        "packages/orchesjob-flow/tests/home/test_locks.py -k no_descriptors",
    ),
    Mutation(
        "without descriptors, the database seems to be forbidden",
        f"{STORE}/database.py",
        "    if result == sqlite3.SQLITE_CANTOPEN and (lack := _lack_of_descriptors()):\n"
        "        return _file_error(path, lack)\n",
        "",
        "packages/flow-store/tests/test_opening.py -k no_descriptors",
    ),
    Mutation(
        "a signal adds words to those about the end",
        f"{SHELL}/interruption.py",
        "        if not self._silent:\n",
        "        if True:\n",
        "packages/orchesjob-flow/tests/test_interruption.py",
    ),
    Mutation(
        "a second signal does not end a runner",
        f"{SHELL}/runner/assembly.py",
        "        if stopping:\n",
        "        if False:\n",
        "tests/faults/test_signals.py -k second",
    ),
    Mutation(
        "something is drawn after the last words",
        f"{SHELL}/views/streams.py",
        "    if not writing.acquire(timeout=LAST_WORDS_SEC):  # never released\n        return\n",
        "",
        "packages/orchesjob-flow/tests/views/test_streams.py",
    ),
    Mutation(
        "SIGCHLD stays ignored if the caller ignores it",
        f"{SHELL}/main.py",
        "    signal.signal(signal.SIGCHLD, signal.SIG_DFL)\n",
        "",
        "tests/faults/test_security.py -k children",
    ),
    Mutation(
        "a run is advanced in another home of orchesjob",
        f"{SHELL}/home/orchesjob_home.py",
        "    if environ.get(VARIABLE) and not is_same:\n",
        "    if False:\n",
        "packages/orchesjob-flow/tests/home/test_orchesjob_home.py -k refused",
    ),
    Mutation(
        "the recorded home of orchesjob is not used",
        f"{SHELL}/home/orchesjob_home.py",
        "    return {**environ, VARIABLE: recorded}\n",
        "    return environ\n",
        "tests/faults/test_other_home.py -k without_the_variable",
    ),
    Mutation(
        "a cancel is recorded before its home is compared",
        f"{SHELL}/commands/cancel.py",
        "    handle = handle.in_home_of(run)\n",
        "",
        "tests/faults/test_other_home.py -k takeover",
    ),
    Mutation(
        "a retry reopens the run before its home is compared",
        f"{SHELL}/commands/retry.py",
        "        at_home = handle.in_home_of(run)\n",
        "        at_home = handle\n",
        "tests/faults/test_other_home.py -k retry",
    ),
    Mutation(
        "a run continues though its home of orchesjob is gone",
        f"{SHELL}/home/orchesjob_home.py",
        "    refuse_gone(run)\n",
        "",
        "packages/orchesjob-flow/tests/home/test_orchesjob_home.py -k gone",
    ),
    Mutation(
        "`doctor` audits a run in the home that the caller names",
        f"{SHELL}/commands/doctor_audit.py",
        "OrchesjobClient(executable, home=one.home)",
        "OrchesjobClient(executable)",
        "tests/faults/test_other_home.py -k audit",
    ),
    Mutation(
        "a missing home is an empty one",
        f"{SHELL}/home/paths.py",
        "        if self.named_by is not None and not named.exists():\n",
        "        if False:\n",
        "packages/orchesjob-flow/tests/home/test_paths.py -k must_exist",
    ),
    Mutation(
        "a run is recorded though orchesjob's home cannot be used",
        f"{SHELL}/home/orchesjob_home.py",
        "    refuse_unwritable(home)\n",
        "",
        "tests/faults/test_other_home.py -k unusable",
    ),
    Mutation(
        "the program speaks the encoding of the locale",
        f"{SHELL}/__main__.py",
        "    speak_utf8()\n",
        "",
        "tests/flows/test_locales.py -k any_locale",
    ),
    Mutation(
        "orchesjob is told of a command in the encoding of the locale",
        f"{CLIENT}/encoding.py",
        "    if is_ascii or _speaks_utf8(environ):",
        "    if True:",
        "tests/flows/test_locales.py -k any_locale",
    ),
    Mutation(
        "orchesjob is asked in the encoding of the locale",
        f"{CLIENT}/client.py",
        "limit_sec=self._limits.status_sec,\n            env=in_utf8(self._environment(env)),",
        "limit_sec=self._limits.status_sec,\n            env=self._environment(env),",
        "tests/flows/test_locales.py -k any_locale",
    ),
    Mutation(
        "a step sees the locale that is meant for orchesjob",
        f"{CLIENT}/encoding.py",
        "    return [*_restoring(environ), *command], in_utf8(environ)",
        "    return [*command], in_utf8(environ)",
        "tests/flows/test_locales.py -k any_locale",
    ),
    Mutation(
        "a command in another spelling is somebody else's",
        f"{CLIENT}/encoding.py",
        '_SPELLINGS = ("utf-8", "iso8859-1")',
        '_SPELLINGS = ("utf-8",)',
        "packages/orchesjob-client/tests/test_encoding.py -k same_command",
    ),
)
