"""The table of bugs: what each breaks, where it is planted, and who has to notice it."""

from typing import NamedTuple

ENGINE = "orchesjob-flow/src/orchesjob_flow/engine"
SHELL = "orchesjob-flow/src/orchesjob_flow"
STORE = "flow-store/src/flow_store"
SPEC = "flow-spec/src/flow_spec"
CLIENT = "orchesjob-client/src/orchesjob_client"


class Bug(NamedTuple):
    """One bug: `old`, which is once in `file`, becomes `new`.

    `tests` names the tests that must fail with it; without them it is the simulation that must.
    """

    name: str
    file: str
    old: str
    new: str
    tests: str = ""

    def planted_in(self, text: str) -> str:
        """Return the text of the file with the bug in it.

        Raises:
            ValueError: What it replaces is not there, or more than once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{text.count(self.old)} times in {self.file}: {self.old!r}")
        return text.replace(self.old, self.new)


BUGS = (
    Bug(
        "an effect before its commit",
        f"{SHELL}/runner.py",
        "        self._commit(decision)\n        self._checkpoint",
        "        self._act(decision.effects)\n"
        "        self._commit(decision)\n"
        "        decision.effects.clear()\n"
        "        self._checkpoint",
    ),
    Bug(
        "effects though the commit failed",
        f"{SHELL}/runner.py",
        "                self._hold_for(backoff)\n",
        "                self._hold_for(backoff)\n                return\n",
    ),
    Bug(
        "no look for survivors before a retry",
        f"{ENGINE}/steps.py",
        "    else:\n        look_for_survivors(turn, step)\n",
        "    else:\n        turn.run.enqueue(step)\n",
    ),
    Bug(
        "a survivor does not keep the next attempt waiting",
        f"{ENGINE}/steps.py",
        "    if not survivors:\n        turn.run.enqueue(step)\n",
        "    if not survivors or step.row.failures > 1:\n        turn.run.enqueue(step)\n",
    ),
    Bug(
        "an aborted job is taken for gone",
        f"{ENGINE}/attempts.py",
        "            calls.end_remains(turn, attempt)\n        case Verdict.ABORTED:",
        "            remains_seen(turn, step, attempt, [])\n        case Verdict.ABORTED:",
    ),
    Bug(
        "a lost job is taken for gone when it is to be ended",
        f"{ENGINE}/attempts.py",
        "        case Verdict.ABORTED | Verdict.LOST | Verdict.NEVER_RAN if ending:",
        "        case Verdict.LOST if ending:\n"
        "            remains_seen(turn, step, attempt, [])\n"
        "        case Verdict.ABORTED | Verdict.NEVER_RAN if ending:",
    ),
    Bug(
        "an unreadable status fails the step",
        f"{ENGINE}/attempts.py",
        "    if call is not Call.START or error.retryable:",
        "    if call is not Call.STATUS and (call is not Call.START or error.retryable):",
    ),
    Bug(
        "a timeout on the wall clock",
        f"{ENGINE}/attempts.py",
        "since + limit - turn.now.mono",
        "attempt.row.started_at + limit - turn.now.wall",
    ),
    Bug(
        "a retry delay on the wall clock",
        f"{ENGINE}/steps.py",
        "remaining = turn.remaining_sec(at, mono, boot, step.spec.delay_after(row.failures))",
        "remaining = at - turn.now.wall",
    ),
    Bug(
        "the flow's timeout on the wall clock",
        f"{ENGINE}/ending.py",
        "turn.remaining_sec(*run.deadline, at_most=limit)",
        "run.deadline.at - turn.now.wall",
    ),
    Bug(
        "a run that is resumed has no deadline",
        f"{ENGINE}/update.py",
        "        ending.await_deadline(turn)\n",
        "        if not any(step.row.attempt_no for step in turn.run.steps):\n"
        "            ending.await_deadline(turn)\n",
    ),
    Bug(
        "a step starts though the run's time is over",
        f"{ENGINE}/update.py",
        "    if run.ending is None:\n        steps.decide_steps(turn)",
        "    if run.cancel is None:\n        steps.decide_steps(turn)",
    ),
    Bug(
        "a step's timeout takes the place of the run's",
        f"{ENGINE}/run.py",
        "ranks.index(self) > ranks.index(AbortReason(other))",
        "ranks.index(self) != ranks.index(AbortReason(other))",
        "packages/orchesjob-flow/tests/simulation/test_flow_timeouts.py",
    ),
    Bug(
        "no retry delay",
        f"{ENGINE}/steps.py",
        "    delay = step.spec.delay_after(step.row.failures)\n",
        "    delay = 0.0\n",
    ),
    Bug(
        "a retry delay does not grow",
        f"{ENGINE}/steps.py",
        "    delay = step.spec.delay_after(step.row.failures)\n",
        "    delay = step.spec.delay_after(1)\n",
    ),
    Bug(
        "a cancel is not looked for in the commit of a start",
        f"{STORE}/run_rows.py",
        "        if self._request is not None and any(",
        "        if self._request is not None and self._run_id < 0 and any(",
    ),
    Bug(
        "a start that is taken back is made all the same",
        f"{ENGINE}/ending.py",
        "        turn.decision.effects.remove(start)\n",
        "",
    ),
    Bug(
        "the revision is not compared",
        f"{STORE}/run_rows.py",
        "        if found != revision:",
        "        if found < 0:",
    ),
    Bug(
        "a step that has ended can be changed",
        f"{STORE}/statements.py",
        "          AND status IN ('PENDING', 'DELAYED', 'RUNNING')\n",
        "",
        "packages/flow-store/tests",
    ),
    Bug(
        "a dead start is charged",
        f"{ENGINE}/attempts.py",
        "    turn.record_step(step, status=StepStatus.PENDING)\n    step.dead_starts += 1",
        "    failures = step.row.failures + 1\n"
        "    turn.record_step(step, status=StepStatus.PENDING, failures=failures)\n"
        "    step.dead_starts += 1",
    ),
    Bug(
        "a start is taken for dead while its launcher lives",
        f"{ENGINE}/attempts.py",
        "    if alive or attempt.job is None:",
        "    if attempt.job is None:",
        "packages/orchesjob-flow/tests/simulation/test_dead_starts.py",
    ),
    Bug(
        "a status that failed is never asked for again",
        f"{ENGINE}/calls.py",
        "    attempt.trouble = trouble\n    ask_later(turn, attempt, trouble.delay_sec)\n",
        "    attempt.trouble = trouble\n",
    ),
    Bug(
        "a job is polled for all the time",
        f"{ENGINE}/calls.py",
        "        turn.set_timer(turn.run.limits.poll_interval_sec, Timer.POLL)",
        "        turn.set_timer(0.2, Timer.POLL)",
    ),
    Bug(
        "an attempt is asked after in several rows of questions",
        f"{ENGINE}/update.py",
        "        case Timer.ASK_STATUS if turn.now.mono >= attempt.ask_at:",
        "        case Timer.ASK_STATUS:",
        "packages/orchesjob-flow/tests/simulation/test_watching.py",
    ),
    Bug(
        "the pause between questions grows beyond all numbers",
        f"{ENGINE}/calls.py",
        "min(2**attempt.questions,",
        "min(2.0**attempt.questions,",
        "packages/orchesjob-flow/tests/simulation/test_watching.py",
    ),
    Bug(
        "a job with another command is accepted",
        f"{ENGINE}/verdict.py",
        "    if report.command and report.command != spec.command:",
        "    if not report.command:",
    ),
    Bug(
        "an exit code that skips counts as a success",
        f"{SPEC}/model.py",
        '            return "SKIPPED"',
        '            return "SUCCEEDED"',
    ),
    Bug(
        "a failure is repeated whatever its exit code",
        f"{ENGINE}/attempts.py",
        " or (retried and code not in retried):",
        ":",
    ),
    Bug(
        "a failure that is allowed makes the run fail",
        f"{ENGINE}/steps.py",
        "return step.row.status is StepStatus.FAILED and not step.spec.allow_failure",
        "return step.row.status is StepStatus.FAILED",
    ),
    Bug(
        "a condition is evaluated before all its steps have ended",
        f"{ENGINE}/run.py",
        "{spec.id: spec.waits_for for spec in flow.steps}",
        "{spec.id: spec.depends_on for spec in flow.steps}",
    ),
    Bug(
        "a skipped step counts as a success",
        f"{SPEC}/conditions.py",
        'or outcome == (predicate or "succeeded").upper()',
        'or (predicate is None and outcome != "FAILED")',
    ),
    Bug(
        "giving up ends the run",
        f"{ENGINE}/calls.py",
        "        turn.run.gave_up = True\n",
        "        turn.run.gave_up = True\n"
        "        turn.record_run(type(turn.run.status).FAILED, reason)\n",
    ),
    Bug(
        "the patience has no end",
        f"{ENGINE}/turn.py",
        "        if self.now.mono - trouble.since >= self.run.limits.patience_sec:",
        "        if self.now.mono < trouble.since:",
        "packages/orchesjob-flow/tests/simulation/test_patience.py",
    ),
    Bug(
        "a start of an earlier boot is made again",
        f"{ENGINE}/attempts.py",
        "    elif attempt.row.boot_id != turn.now.boot:",
        "    elif not attempt.row.boot_id:",
    ),
    Bug(
        "a job that orchesjob has forgotten is started again",
        f"{ENGINE}/attempts.py",
        "    elif attempt.row.job_id is not None:",
        '    elif attempt.row.job_id == "":',
    ),
    Bug(
        "a job of an earlier boot is trusted",
        f"{ENGINE}/attempts.py",
        "        case _ if attempt.row.boot_id != turn.now.boot:",
        "        case _ if not attempt.row.boot_id:",
    ),
    Bug(
        "a process id is trusted, whoever has it now",
        f"{ENGINE}/attempts.py",
        "    if known and attempt.contradictions >= CONTRADICTIONS:",
        "    if not known and attempt.contradictions >= CONTRADICTIONS:",
    ),
    Bug(
        "an abort without a look at who has the process id",
        f"{ENGINE}/calls.py",
        "    elif attempt.watch is None:\n",
        "    elif attempt.watch is None and attempt.row.abort_reason is None:\n",
    ),
    Bug(
        "the end of a worker is an outcome",
        f"{ENGINE}/attempts.py",
        "    attempt.worker_gone = True\n    calls.ask_status(turn, attempt)",
        "    attempt.worker_gone = True\n"
        "    step = turn.run.steps[attempt.row.position]\n"
        '    fail_attempt(turn, step, attempt, "its worker is gone")',
    ),
    Bug(
        "more steps run at once than the flow allows",
        f"{ENGINE}/run.py",
        "(most is None or self.attempting < most)",
        "(most is None or self.attempting <= most)",
    ),
    Bug(
        "CANCELLED is said while something is alive",
        f"{ENGINE}/ending.py",
        "    if not survivors:\n",
        "    if len(survivors) < 2:\n",
    ),
    Bug(
        "what a foreign command does is ended by a cancel",
        f"{ENGINE}/steps.py",
        " - step.foreign_numbers\n",
        "\n",
        "packages/orchesjob-flow/tests/simulation/test_retries.py",
    ),
    Bug(
        "something is ended after CANCELLED has been said",
        f"{ENGINE}/ending.py",
        "    if not survivors:\n        finish_ending(turn)\n",
        "    if not survivors:\n        turn.run.sweeping = False\n        finish_ending(turn)\n",
    ),
    Bug(
        "two runners share the lock",
        f"{SHELL}/locks.py",
        "cls._try(path, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "cls._try(path, fcntl.LOCK_SH | fcntl.LOCK_NB)",
    ),
    Bug(
        "the child of `start -d` does not hold the lock",
        f"{SHELL}/detach.py",
        "            pass_fds=(lock.fileno(), ready_in_child),",
        "            pass_fds=(ready_in_child,),",
        "tests/test_detach.py",
    ),
    Bug(
        "a start under way does not hold up the next runner",
        f"{SHELL}/performer.py",
        "            start_timeout_sec=effect.start_timeout_sec,\n"
        "            inherit_fd=self._calls_lock,\n",
        "            start_timeout_sec=effect.start_timeout_sec,\n",
        "-m long tests/test_misbehaviour_calls.py",
    ),
    Bug(
        "the processes of an attempt bear no mark",
        f"{CLIENT}/survivors.py",
        "    return {**environ, MARK: mark(orchesjob_home(environ), physical_key)}",
        "    return {**environ}",
        "tests/test_cancel.py",
    ),
    Bug(
        "a commit is not synchronised",
        f"{STORE}/database.py",
        '"PRAGMA synchronous = FULL"',
        '"PRAGMA synchronous = NORMAL"',
        "packages/flow-store/tests/test_opening.py",
    ),
    Bug(
        "a stranger with the worker's process id is watched",
        f"{CLIENT}/watcher.py",
        "    return Watch.WATCHING if job_id.encode() in command_line else Watch.GONE",
        "    return Watch.WATCHING",
        "packages/orchesjob-client/tests/test_watcher.py",
    ),
    Bug(
        "a retry repeats what has succeeded",
        f"{SHELL}/retrying.py",
        "for step_id, status in statuses.items() if status in UNSUCCESSFUL}",
        "for step_id, status in statuses.items() if status.is_terminal}",
        "tests/test_errands.py -k morning",
    ),
    Bug(
        "a step keeps an outcome that its new exit codes deny",
        f"{SHELL}/retrying.py",
        "    return code is None or spec.outcome_of(code) == attempt.status",
        "    return True",
        "tests/test_retry.py",
    ),
    Bug(
        "doctor judges by exit codes that came later",
        f"{SHELL}/doctor.py",
        "        if not recorded.decisive:",
        "        if not recorded.spec:",
        "tests/test_doctor.py",
    ),
    Bug(
        "doctor believes any end of an attempt that was retried",
        f"{SHELL}/doctor.py",
        "            return code == recorded_code(recorded.attempt)",
        "            return True",
        "tests/test_doctor.py",
    ),
)
