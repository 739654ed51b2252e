"""The table of mutations: what each takes away, where, and which tests must notice."""

from pathlib import Path

from .operators import (
    Operator,
    definition,
    drop,
    module_of_tests,
    negate,
    replace,
    replace_argument,
    replace_text,
    returns,
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
        "a success is recorded before its files are looked at",
        "orchesjob-flow: succeed",
        replace("attempt.row.files is not None", "False"),
    ),
    Mutation(
        "the files of a job from before a lost database are compared",
        "orchesjob-flow: record_report",
        replace("report.existing", "False"),
        tests="test_written_files",
    ),
    Mutation(
        "retry_exit_codes apply to what was not written",
        "orchesjob-flow: fail_attempt",
        replace("not attempt.row.is_gate and attempt.row.files != UNWRITTEN", "True"),
    ),
    Mutation(
        "a look at files that hangs makes the runner give up",
        "orchesjob-flow: act_on_overdue",
        replace("not call.is_of_files", "True"),
        tests="test_written_files",
    ),
    Mutation(
        "no look for survivors before a retry",
        "orchesjob-flow: await_attempt",
        replace("look_for_survivors(context, step)", "context.run.enqueue(step)"),
    ),
    Mutation(
        "a survivor does not keep the next attempt waiting",
        "orchesjob-flow: enqueue_or_wait",
        replace("not survivors", "not survivors or step.row.failures > 1"),
    ),
    Mutation(
        "a lost attempt has failed although a process of it lives",
        "orchesjob-flow: act_on_survivors",
        replace("if survivors:", "if survivors and attempt.row.number > 1:"),
    ),
    Mutation(
        "what somebody else has aborted has ended at once",
        "orchesjob-flow: act_on_report",
        replace(
            "fail_aborted(context, attempt, describe_abort(report))",
            "fail_attempt(context, attempt, describe_abort(report))",
        ),
    ),
    Mutation(
        "the end of what is alive of a lost attempt goes unnoticed",
        "orchesjob-flow: act_on_survivor_exit",
        replace("attempt.call is None", "attempt.call is not None"),
    ),
    Mutation(
        "an end that came before the watch goes unnoticed",
        "orchesjob-flow: act_on_survivor_watch",
        replace("loss.exited", "False"),
    ),
    Mutation(
        "a lost attempt is not ended, though that was decided meanwhile",
        "orchesjob-flow: act_on_survivors",
        replace("attempt.row.abort_reason is not None", "False"),
        tests="test_update -k lost",
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
        "a lost attempt that had ended before is cancelled",
        "orchesjob-flow: look_again",
        replace("attempt.loss is not None and not attempt.loss.being_ended", "False"),
        tests="test_ended_before",
    ),
    Mutation(
        "an attempt that somebody else had aborted before is cancelled",
        "orchesjob-flow: was_ended",
        replace("reason is None or calls.is_own_abort(report)", "True"),
        tests="test_ended_before",
    ),
    Mutation(
        "what the cancel of an outer run has ended inside it has failed",
        "orchesjob-flow: was_ended",
        replace(
            "report.finished_at is None or report.finished_at + 1 > cancel.requested_at", "False"
        ),
        tests="engine/test_update",
    ),
    Mutation(
        "a step that nothing would run is cancelled",
        "orchesjob-flow: finish_step",
        replace(
            "status is not StepStatus.CANCELLED",
            "status is not StepStatus.CANCELLED and context.run.ending is None",
        ),
        tests="test_ended_before",
    ),
    Mutation(
        "a run is CANCELLED though no step was",
        "orchesjob-flow: outcome_of",
        replace("bool(early)", "run.ending is AbortReason.CANCEL"),
        tests="test_ended_before",
    ),
    Mutation(
        "what a step runs without is not recorded before it starts",
        "orchesjob-flow: start_without",
        drop('context.record_attempt(attempt, note="; ".join(filter(None, notes)))'),
        tests="engine/test_update",
    ),
    Mutation(
        "a start without files is taken back as if it were not committed",
        "orchesjob-flow: start_without",
        replace(
            "(None, (*attempt.without, *event.without))",
            "(attempt.before, (*attempt.without, *event.without))",
        ),
        tests="engine/test_update",
    ),
    Mutation(
        "a missing secrets file silences the alert",
        "flow-spec: FlowSpec.env_files_of",
        replace("step.id in self.finally_ids", "False"),
        tests="flow-spec/test_env_file",
    ),
    Mutation(
        "a status without an answer fails the step",
        "orchesjob-flow: attempts/act_on_no_answer",
        replace(
            "call is not CallKind.START or error.retryable",
            "call is not CallKind.STATUS and (call is not CallKind.START or error.retryable)",
        ),
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
        "a run that is resumed has no deadline",
        "orchesjob-flow: on_runner_started",
        replace(
            "await_deadline(context)",
            "any(step.row.attempt_no for step in context.run.steps) or await_deadline(context)",
        ),
    ),
    Mutation(
        "a step runs that was left out",
        "orchesjob-flow: decide_steps",
        replace(
            "step.spec.id in context.run.left_out or not is_due(context.run, step)",
            "not is_due(context.run, step)",
        ),
        tests="test_generated_flows -k left_out",
    ),
    Mutation(
        "a step that was left out is cancelled with its run",
        "orchesjob-flow: plan_of",
        drop("if left_out:"),
        tests="test_generated_flows -k left_out",
    ),
    Mutation(
        "a step that is needed now stays left out",
        "orchesjob-flow: plan_retry",
        drop("again |= set(before.left_out).difference(flow.left_out)"),
        tests="flows/test_until -k retry",
    ),
    Mutation(
        "a step starts although the run's time is over",
        "orchesjob-flow: decide_steps",
        replace("context.run.ending is not None", "context.run.cancel is not None"),
    ),
    Mutation(
        "a start that was taken back is performed",
        "orchesjob-flow: withdraw_starts",
        drop("context.decision.effects.remove(start)"),
    ),
    Mutation(
        "a dead start is charged",
        "orchesjob-flow: discard_start",
        replace(
            "context.record_step(step, status=StepStatus.PENDING)",
            "context.record_step(step, status=StepStatus.PENDING, failures=step.row.failures + 1)",
        ),
    ),
    Mutation(
        "a start is taken for dead while its launcher lives",
        "orchesjob-flow: await_worker",
        replace("alive", "False"),
        tests="test_dead_starts -k late",
    ),
    Mutation(
        "a job is aborted although it has a worker after all",
        "orchesjob-flow: note_active",
        drop("if attempt.row.abort_reason == AbortReason.DEAD_START:"),
        tests="engine/test_update -k worker_after_all",
    ),
    Mutation(
        "a status that failed is never asked for again",
        "orchesjob-flow: repeat_call",
        drop("ask_later(context, attempt, backoff.delay_sec)"),
    ),
    Mutation(
        "the flow that was read is run, whatever has been recorded since",
        "orchesjob-flow: runner_of",
        replace("flow is None or flow.to_json() != run.definition", "flow is None"),
        tests="test_recording -k what_is_recorded",
    ),
    Mutation(
        "a job with another command is accepted",
        "orchesjob-flow: judge",
        replace("not report.is_of(spec.command_of(is_gate=is_gate))", "False"),
    ),
    Mutation(
        "a failure is repeated whatever its exit code",
        "orchesjob-flow: fail_attempt",
        replace("retried and exit_code not in retried", "False"),
    ),
    Mutation(
        "a command that was ended for its run has an exit code",
        "orchesjob-client: exit_code_of",
        replace("None if was_ended else 128 - code", "128 - code"),
        tests="orchesjob-client/test_report -k exit_code_of_an_end",
    ),
    Mutation(
        "what --until leaves out has passed",
        "flow-spec: StepEnds._judged",
        replace("step_id not in self.flow.left_out", "True"),
        tests="flow-spec/test_until -k has_not_passed",
    ),
    Mutation(
        "a condition is evaluated before all its steps have ended",
        "flow-spec: FlowSpec.plan_of",
        replace("step.waits_for", "step.depends_on"),
    ),
    Mutation(
        "a step that an earlier failure skipped has passed",
        "orchesjob-flow: fate_of_row",
        replace("row.has_begun or is_settled", "True"),
    ),
    Mutation(
        "what a person settled as skipped has not passed",
        "orchesjob-flow: fate_of_row",
        replace("row.has_begun or is_settled", "row.has_begun"),
    ),
    Mutation(
        "giving up is not recorded",
        "orchesjob-flow: giving_up_recorded",
        drop("store.record_giving_up(run_key, given_up, revision=revision())"),
    ),
    Mutation(
        "giving up ends the run",
        "orchesjob-flow: give_up",
        replace(
            "context.run.gave_up = True",
            "context.run.gave_up = True;"
            "context.record_run(type(context.run.status).FAILED, reason)",
        ),
    ),
    Mutation(
        "the patience has no end",
        "orchesjob-flow: next_backoff",
        replace(
            "context.now.mono - backoff.since >= context.run.limits.patience_sec",
            "context.now.mono < backoff.since",
        ),
        tests="test_patience -k for_ever",
    ),
    Mutation(
        "one call that hangs ends the runner",
        "orchesjob-flow: UpdateContext.call",
        replace(
            "limits.call_sec + allow_sec + SLACK_SEC + limits.patience_sec",
            "(limits.call_sec + allow_sec) / 2",
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
        "waiting for a place uses up patience",
        "orchesjob-flow: calls/begin_call",
        replace("context.now.mono - attempt.call_since", "0.0"),
        tests="test_patience -k those_who_wait",
    ),
    Mutation(
        "the time of a call begins when it is asked for",
        "orchesjob-flow: UpdateContext.call",
        replace("not call.tells_begin", "call"),
    ),
    Mutation(
        "a cancel waits for the crowd",
        "orchesjob-flow: call_off",
        replace("CallKind.START", "None"),
        tests="test_cancelling -k start_that_waits",
    ),
    Mutation(
        "a start of an earlier boot is repeated",
        "orchesjob-flow: act_on_unknown_key",
        replace("attempt.row.boot_id != context.now.boot", "not attempt.row.boot_id"),
    ),
    Mutation(
        "a job that orchesjob has forgotten is started again",
        "orchesjob-flow: act_on_unknown_key",
        replace("attempt.row.job_id is not None", "attempt.row.job_id == ''"),
    ),
    Mutation(
        "a job of an earlier boot is trusted",
        "orchesjob-flow: act_on_report",
        replace("attempt.row.boot_id != context.now.boot", "not attempt.row.boot_id"),
    ),
    Mutation(
        "a process id is trusted, whoever has it now",
        "orchesjob-flow: note_contradiction",
        negate("known"),
    ),
    Mutation(
        "an abort without a look at who has the process id",
        "orchesjob-flow: make_next_call",
        replace(
            "attempt.watch is None", "attempt.watch is None and attempt.row.abort_reason is None"
        ),
    ),
    Mutation(
        "the end of a worker is an outcome",
        "orchesjob-flow: attempts/act_on_exit",
        replace(
            "calls.ask_status(context, attempt)",
            "fail_attempt(context, context.run.steps[attempt.row.position], attempt, 'gone')",
        ),
    ),
    Mutation(
        "more steps run at once than the flow allows",
        "orchesjob-flow: RunState.has_room",
        replace("self.attempting < most", "self.attempting <= most"),
    ),
    Mutation(
        "a run is CANCELLED while something of it is alive",
        "orchesjob-flow: act_on_run_survivors",
        replace("not survivors", "len(survivors) < 2"),
        tests="test_cancelling -k survivors_of_attempts",
    ),
    Mutation(
        "what a foreign command does is ended by a cancel",
        "orchesjob-flow: attempted_keys",
        replace(
            "set(range(1, step.row.attempt_no + 1)) - step.foreign_numbers",
            "set(range(1, step.row.attempt_no + 1))",
        ),
        tests="simulation/test_retries -k foreign",
    ),
    Mutation(
        "something is ended after the run is CANCELLED",
        "orchesjob-flow: wind_down",
        replace("run.status.is_terminal", "False"),
    ),
    Mutation(
        "a retry keeps what has run after a step that runs again",
        "orchesjob-flow: plan_retry",
        replace(
            "dependents(flow, again)",
            "{a for a in dependents(flow, again) if statuses.get(a) is StepStatus.SKIPPED}",
        ),
    ),
    Mutation(
        "a run that is to end is left without a runner",
        "orchesjob-flow: RequestPoller._seen_in",
        replace("self._end(key)", "True"),
        tests="simulation/test_groups -k without_a_runner",
    ),
    Mutation(
        "a runner is given to a run that nobody has asked to end",
        "orchesjob-flow: RequestPoller._to_end",
        replace("self._store.cancel_request(key) is not None", "True"),
        tests="test_request_poller -k to_end",
    ),
    Mutation(
        "a run begins before the end of what is inside one that it replaces",
        "orchesjob-flow: RequestPoller._to_end",
        replace("(*ahead, *inside)", "ahead"),
        tests="flows/test_groups -k inside_a_replaced",
    ),
    Mutation(
        "a run that replaces others looks for their runners once",
        "orchesjob-flow: RequestPoller.look",
        replace("self._is_free or run.replaces", "self._is_free"),
        tests="test_request_poller -k holder",
    ),
    Mutation(
        "a run begins before one that it replaces, and that has just got a runner",
        "orchesjob-flow: RequestPoller._seen_in",
        replace("key in ended or self._has_runner(key)", "self._has_runner(key)"),
        tests="test_request_poller -k to_end",
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
        "how the steps have ended is not recorded before `finally` begins",
        "orchesjob-flow: conclude",
        drop("context.record_run(RunStatus.RUNNING, None)"),
    ),
    Mutation(
        "`finally` begins while a failed step is alive",
        "orchesjob-flow: wind_down",
        replace("run.flow.finally_", "False"),
    ),
    Mutation(
        "a first cancel ends `finally` too",
        "orchesjob-flow: RunState.ending",
        replace("self.is_to_end_now", "self.cancel is not None"),
    ),
    Mutation(
        "`finally` hides a cancel",
        "orchesjob-flow: outcome_of",
        replace(
            "run.finally_after in (Outcome.CANCELLED, Outcome.TIMED_OUT)",
            "run.finally_after is Outcome.TIMED_OUT",
        ),
    ),
    Mutation(
        "a late search for survivors begins a step that was ended",
        "orchesjob-flow: enqueue_or_wait",
        replace("step.row.status.is_terminal", "False"),
        tests="test_update -k ends_after_its_step",
    ),
    Mutation(
        "a retry takes parameters that name other lists than the run has",
        "orchesjob-flow: refuse_other_lists",
        replace(
            'filled(one.text or "", {**before, name: value}) != filled(one.text or "", before)',
            "False",
        ),
        tests="flows/test_foreach -k that_a_parameter_names",
    ),
    Mutation(
        "a text that is split may be as long as its parameters make it",
        "flow-spec: _split",
        replace(
            "len(text) + sum(len(known[name]) for name in names_in(text)) > MOST_CHARACTERS",
            "False",
        ),
        tests="flow-spec/test_foreach -k repeats_a_long_parameter",
    ),
    Mutation(
        "a list that is split by parameters counts as one of the flow file",
        "flow-spec: ValuesOf._from",
        replace("*((origin, text, at, allow_empty) if is_open else ())", "*()"),
        tests="flow-spec/test_foreach -k split_with_parameters",
    ),
    Mutation(
        "`finally` is not run at the end of a retry",
        "orchesjob-flow: plan_retry",
        replace("again |= flow.finally_ids", "again |= set()"),
    ),
    Mutation(
        "the command of a step begins before its gate is asked",
        "orchesjob-flow: RunStep.asks_gate",
        replace("bool(self.spec.only_if) and (not self.has_passed_gate)", "False"),
    ),
    Mutation(
        "the gate is asked again before each retry of the command",
        "orchesjob-flow: has_passed_gate",
        replace(
            "latest.status is AttemptStatus.SUCCEEDED or not latest.is_gate",
            "latest.status is AttemptStatus.SUCCEEDED and latest.is_gate",
        ),
        tests="test_gates -k killed_at_every_point",
    ),
    Mutation(
        "another runner takes a gate that has failed for one that has said yes",
        "orchesjob-flow: has_passed_gate",
        replace("latest.status is AttemptStatus.SUCCEEDED or not latest.is_gate", "True"),
        tests="test_gates -k killed_at_every_point",
    ),
    Mutation(
        "the command is started as its gate",
        "orchesjob-flow: start_job",
        replace("spec.command_of(is_gate=attempt.row.is_gate)", "spec.command"),
    ),
    Mutation(
        "a gate that says yes is the success of its step",
        "orchesjob-flow: act_on_report",
        replace(
            "case Verdict.SUCCEEDED if attempt.row.is_gate:",
            "case Verdict.SUCCEEDED if step.row.position < 0:",
        ),
    ),
    Mutation(
        "a run of a group begins without a look at the others",
        "orchesjob-flow: on_runner_started",
        replace("not context.run.is_waiting", "True"),
        tests="simulation/test_groups -k crowds",
    ),
    Mutation(
        "a run overtakes one that has a runner",
        "orchesjob-flow: on_queue_seen",
        replace("not event.with_runner", "True"),
        tests="test_lifecycle -k before_it",
    ),
    Mutation(
        "a beginning that was refused is believed",
        "orchesjob-flow: Runner._take_back",
        drop("self.run = RunState.load(self.run.flow, self._unbegun, self.run.limits)"),
        tests="simulation/test_groups -k between",
    ),
    Mutation(
        "a new runner forgets which copies are under way",
        "orchesjob-flow: CopyLanes.of",
        drop("by_step[step.step_id].block.enter(by_step[step.step_id].copy, step.position)"),
        tests="simulation/test_foreach -k new_runner",
    ),
    Mutation(
        "a settlement has nothing decided again",
        "orchesjob-flow: plan_settle",
        replace("dependents(flow, named)", "set()"),
        tests="engine/test_settle",
    ),
    # The store: guards, revisions, transactions, groups.
    Mutation(
        "a cancel is not looked for in the commit of a start",
        "flow-store: RunWriter.apply",
        replace("any(map(would_start, changes.attempts.values()))", "False"),
    ),
    Mutation(
        "the revision is not compared",
        "flow-store: FlowStore._writer",
        replace("guard.revision != revision", "guard.revision < 0"),
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
        "a cancel leaves the runs inside the run alone",
        "flow-store: FlowStore._write_cancel",
        replace(
            "inner = () if spares_inner else self.unfinished_inside(run_key)",
            "inner: tuple[str, ...] = ()",
        ),
        tests="flow-store/test_cancel",
    ),
    Mutation(
        "a run begins inside one that is cancelled",
        "flow-store: FlowStore.create",
        drop("self._refuse_cancelled(parent.run_key)"),
        tests="flow-store/test_cancel",
    ),
    Mutation(
        "a commit is not synchronised",
        "flow-store: _SETTINGS",
        replace_text("FULL", "NORMAL"),
        tests="test_opening",
    ),
    Mutation(
        "a retry is not numbered",
        "flow-store: RunWriter.reopen",
        replace(
            "Step.waiting(position, '', retries, retry_no)", "Step.waiting(position, '', retries)"
        ),
        tests="test_reopening",
    ),
    Mutation(
        "a second cancel before `finally` has begun keeps it from that",
        "flow-store: FlowStore.request_cancel",
        replace(
            "guard.cancel is not None and guard.finally_after is not None",
            "guard.cancel is not None",
        ),
        tests="simulation/test_finally -k being_ended",
    ),
    Mutation(
        "a step of `finally` starts although all is to be ended",
        "flow-store: RunGuard.forbids_starts",
        replace("None if self.cancel.now_at is None else self.cancel", "None"),
        tests="test_apply -k finally",
    ),
    Mutation(
        "a first cancel ends what `finally` has started",
        "flow-store: FlowStore._write_cancel",
        replace("guard.finally_after is not None and request.now_at is None", "False"),
        tests="flow-store/test_cancel -k spared",
    ),
    Mutation(
        "a run begins beside another one of its group",
        "flow-store: refuse_taken",
        replace("queue.holder is not None", "queue.holder is None"),
        tests="flow-store/test_groups",
    ),
    Mutation(
        "who comes later begins first",
        "flow-store: refuse_taken",
        replace("key not in passes", "key in passes"),
        tests="flow-store/test_groups",
    ),
    Mutation(
        "a run that would wait for itself is recorded",
        "flow-store: join",
        drop("if circle:"),
        tests="flow-store/test_groups",
    ),
    Mutation(
        "an outer run is taken for one that waits for no nested run",
        "flow-store: waits_in_group",
        drop("waits[waiting].append((key, None))"),
        tests="flow-store/test_groups",
    ),
    Mutation(
        "a run that replaces others asks nobody to end",
        "flow-store: FlowStore._replace",
        drop("if (guard := self._guard(key)) is not None:"),
        tests="flow-store/test_groups -k asked",
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
        "a replaced run keeps the successor of before its retry",
        "flow-store: REOPEN_RUN",
        replace_text(", cancel_successor = NULL", ""),
        tests="flow-store/test_groups -k newest_remains_after",
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
        "a run that waits begins although it is to be cancelled",
        "flow-store: RunWriter._guard_beginning",
        drop("if guard.cancel is not None:"),
        tests="flow-store/test_groups -k cancel",
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
        "a call that hangs is not ended when the engine says so",
        "orchesjob-flow: limits_of_calls",
        replace("CallLimits(limits.call_sec, limits.call_sec, limits.call_sec)", "CallLimits()"),
        tests="test_hanging_calls -k one_call_of_each",
    ),
    Mutation(
        "a runner that has stopped calls orchesjob when it has a place",
        "orchesjob-flow: Performer.close",
        drop("for claim in self._claims.values():"),
        tests="test_performer",
    ),
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
        "a crowd takes more places than there are",
        "orchesjob-flow: CallSlots._look",
        replace("time.monotonic() >= until", "time.monotonic() >= until - 1000000.0"),
        tests="test_call_slots",
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
        "a call of a dead runner that hangs is not ended",
        "orchesjob-flow: take_calls_lock",
        drop("call.end()"),
        tests="test_hanging_calls -k dead_runner_hang",
    ),
    Mutation(
        "the calls of a dead runner are not known by the keys of this run",
        "orchesjob-flow: find_calls",
        replace("one.number", "one.number + 1"),
        tests="test_hanging_calls -k dead_runner_hang",
    ),
    Mutation(
        "a second signal does not end a runner",
        "orchesjob-flow: stopped_by_signals",
        replace("if stopping:", "if False:"),
        tests="faults/test_signals -k second",
    ),
    Mutation(
        "a run is advanced in another home of orchesjob",
        "orchesjob-flow: environ_of",
        replace("environ.get(ORCHESJOB_HOME) and (not is_same)", "False"),
        tests="test_orchesjob_home -k refused",
    ),
    Mutation(
        "the recorded home of orchesjob is not used",
        "orchesjob-flow: environ_of",
        replace("{**environ, ORCHESJOB_HOME: recorded}", "environ"),
        tests="test_other_home -k without_the_variable",
    ),
    Mutation(
        "a run continues though its home of orchesjob is gone",
        "orchesjob-flow: refuse_gone",
        returns("None"),
        tests="test_orchesjob_home -k gone",
    ),
    Mutation(
        "a run continues in a folder that took the place of its home of orchesjob",
        "orchesjob-flow: loss_of_home",
        replace("run.home_inode not in (None, inode)", "False"),
        tests="test_orchesjob_home -k another_folder",
    ),
    Mutation(
        "doctor creates a home of orchesjob",
        "orchesjob-flow: holds_jobs",
        returns("True"),
        tests="test_other_home -k audit_writes",
    ),
    Mutation(
        "a runner creates the home of a run that has attempts",
        "orchesjob-flow: take_home",
        replace("run.attempts", "False"),
        tests="test_orchesjob_home -k takes",
    ),
    Mutation(
        "a runner does not notice that its home of orchesjob is gone",
        "orchesjob-flow: runner_of",
        replace_argument("folder=folder", "folder=None"),
        tests="test_other_home -k vanishes",
    ),
    Mutation(
        "orchesjob is called though its home is gone",
        "orchesjob-client: OrchesjobClient._refuse_replaced",
        returns("None"),
        tests="test_call -k replaced",
    ),
    Mutation(
        "what orchesjob says in another folder than its home is believed",
        "orchesjob-client: OrchesjobClient._refuse_replaced",
        replace("found != self._folder", "False"),
        tests="test_other_home -k another_folder",
    ),
    Mutation(
        "a report replaces a flow file",
        "orchesjob-flow: refuse_destination",
        drop("if is_its_own or holds_flow(path):"),
        tests="commands/test_report -k could_write",
    ),
    Mutation(
        "a report is written into a pipe",
        "orchesjob-flow: refuse_other_kinds",
        drop("if path.exists() and not path.is_file():"),
        tests="commands/test_report -k pipe",
    ),
    Mutation(
        "a pattern looks into any number of folders",
        "flow-spec: _Search._entries",
        drop("if self.listed > MOST_FOLDERS:"),
        tests="test_file_names -k many",
    ),
    Mutation(
        "the loss of the database is called no loss",
        "orchesjob-flow: RequestPoller.refuse_another_file",
        replace(
            "GaveUp(run_key, 'the flow database was removed or replaced', DATABASE_LOST)",
            "GaveUp(run_key, 'the flow database was removed or replaced')",
        ),
        tests="commands/test_start -k loses",
    ),
    Mutation(
        "a link in the place of a run's own home is followed",
        "orchesjob-flow: RunHandle.load",
        drop("is_there(self.settings.home.own_jobs(self.run_key))"),
        tests="test_own_jobs -k link",
    ),
    Mutation(
        "others may write to the folder of the runs' own homes",
        "orchesjob-flow: Home.folders",
        replace("self.jobs", "self.runs"),
        tests="test_own_jobs -k others",
    ),
    Mutation(
        "a run is recorded though its own home has a name that orchesjob cannot use",
        "orchesjob-flow: home_of_new_run",
        drop("refuse_path(path, home.remedy)"),
        tests="test_own_jobs -k utf",
    ),
    Mutation(
        "a run is recorded though the home of its jobs cannot be created",
        "orchesjob-flow: shared_home",
        replace("not create", "True"),
        tests="test_other_home -k created",
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
        "a folder above a home may be anybody's",
        "orchesjob-client: find_exposure",
        replace(
            "_exposure_of_folder(place, found, is_above=place != real)",
            "place == real and _exposure_of_folder(place, found)",
        ),
        tests="faults/test_exposed_places -k above",
    ),
    Mutation(
        "a group is trusted",
        "orchesjob-client: _exposure_of_folder",
        replace("stat.S_IWOTH | stat.S_IWGRP", "stat.S_IWOTH"),
        tests="faults/test_exposed_places -k modes",
    ),
    Mutation(
        "a live runner believes what others could have written",
        "orchesjob-client: OrchesjobClient._run",
        drop("self._refuse_exposed(name)"),
        tests="faults/test_exposed_places -k becomes_unsafe",
    ),
    Mutation(
        "output is shown that others could have written",
        "orchesjob-flow: files_of",
        drop("refuse_exposed_output(run)"),
        tests="faults/test_exposed_places -k commands",
    ),
    Mutation(
        "a database that others can write to is shown",
        "orchesjob-flow: open_to_read",
        drop("settings.home.refuse_exposed()"),
        tests="faults/test_exposed_places -k commands",
    ),
    Mutation(
        "a missing orchesjob home is made with the caller's umask",
        "orchesjob-flow: shared_home",
        replace("make_private(Path(home), parents=True)", "Path(home).mkdir(parents=True)"),
        tests="faults/test_exposed_places -k umasks",
    ),
    Mutation(
        "the cgroup that somebody else has made is used",
        "orchesjob-client: processes/cgroups/_make",
        drop("if os.fstat(descriptor).st_uid != os.geteuid():"),
        tests="test_cgroups -k another_user",
    ),
    Mutation(
        "the processes in a cgroup that somebody else has made are ended",
        "orchesjob-client: processes/cgroups/_folders",
        replace("filter(_is_made_by_us, named)", "named"),
        tests="test_cgroups -k another_user",
    ),
    # The processes of jobs: identity, marks, cgroups, and what is left of an attempt.
    Mutation(
        "a process is watched though its PID is another's by now",
        "orchesjob-client: _state_of_process",
        replace("alive and (not has_ended(pidfd))", "not has_ended(pidfd)"),
        tests="test_watcher",
    ),
    Mutation(
        "the processes of an attempt have no mark",
        "orchesjob-client: marked_environment",
        returns("{**environ}"),
        tests="orchesjob-client/test_survivors",
    ),
    Mutation(
        "a client starts jobs without a mark",
        "orchesjob-client: OrchesjobClient.start",
        replace(
            "marked_environment(self._environment(env), job_key, home=self.home)",
            "self._environment(env)",
        ),
        tests="test_waiting -k marks",
    ),
    Mutation(
        "a job is started in the home that its own environment names",
        "orchesjob-client: OrchesjobClient._environment",
        replace("environment | self._named_home", "self._named_home | dict(env or environment)"),
        tests="test_waiting -k one_home",
    ),
    Mutation(
        "who waits for a job believes that an unrelated process is its worker",
        "orchesjob-client: OrchesjobClient.wait",
        replace("report.job_id in gone", "False"),
        tests="test_waiting -k unrelated",
    ),
    Mutation(
        "what is inside a step has its own mark alone",
        "orchesjob-client: marked_environment",
        replace("f'{outer}{_JOIN}{own}' if outer else own", "own"),
        tests="orchesjob-client/test_survivors",
    ),
    Mutation(
        "only the last of several marks is found",
        "orchesjob-client: WantedMarks.find",
        replace(
            "line.removeprefix(self._name).split(_JOIN.encode())",
            "line.removeprefix(self._name).split(_JOIN.encode())[-1:]",
        ),
        tests="orchesjob-client/test_survivors",
    ),
    Mutation(
        "an unrelated process with the worker's process id is watched",
        "orchesjob-client: _state",
        replace("job_id.encode() in command_line", "True"),
        tests="test_watcher",
    ),
    Mutation(
        "survivors are looked for only once",
        "orchesjob-client: _LOOKS",
        replace("2", "1"),
        tests="orchesjob-client/test_survivors",
    ),
    Mutation(
        "each process that appears meanwhile has the whole grace time",
        "orchesjob-client: end_survivors",
        replace("max(0, grace_ends - now)", "grace_sec"),
        tests="orchesjob-client/test_survivors -k one_grace_time",
    ),
    Mutation(
        "a process that is about to begin a program is taken for one without variables",
        "orchesjob-client: read_marked",
        replace("stat.is_kernel_thread or stat.has_empty_environment", "True"),
        tests="test_processes -k about_to_begin",
    ),
    Mutation(
        "who is in a job's cgroup is looked for only beside marked processes",
        "orchesjob-client: marked_trees",
        replace("not members()", "True"),
        tests="orchesjob-client/test_survivors -k root",
    ),
    Mutation(
        "who was found earlier is looked for only beside marked processes",
        "orchesjob-client: marked_trees",
        replace("not known", "True"),
        tests="orchesjob-client/test_survivors -k root",
    ),
    Mutation(
        "what began while the process table was read is not looked at",
        "orchesjob-client: take_snapshot",
        replace("not fresh", "not fresh or rounds > 1"),
        tests="test_chains -k begun",
    ),
    Mutation(
        "the group of a process that forks and exits is not killed with it",
        "orchesjob-client: kill_on_sight",
        replace(
            "is_ours and sighted.group > 1 and (sighted.group != os.getpgrp())",
            "sighted.group < 1 and sighted.group != os.getpgrp()",
        ),
        tests="test_chains",
    ),
    Mutation(
        "who ends a marked process is killed with it, being in its group",
        "orchesjob-client: kill_on_sight",
        replace(
            "is_ours and sighted.group > 1 and (sighted.group != os.getpgrp())",
            "is_ours and sighted.group > 1",
        ),
        tests="test_chains -k our_own_group",
    ),
    Mutation(
        "an unrelated process in the group of a marked process is killed with it",
        "orchesjob-client: kill_on_sight",
        replace(
            "is_ours and sighted.group > 1 and (sighted.group != os.getpgrp())",
            "sighted.group > 1 and sighted.group != os.getpgrp()",
        ),
        tests="test_chains",
    ),
    Mutation(
        "who is in a job's cgroup is not looked for",
        "orchesjob-client: trees_of",
        replace("members.get(pid)", "False"),
        tests="test_cgroups",
    ),
    Mutation(
        "a cgroup is not ended at once",
        "orchesjob-client: kill_all",
        replace(
            "(folder / 'cgroup.kill').write_text('1', 'ascii')", "(folder / 'cgroup.kill').exists()"
        ),
        tests="test_cgroups",
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
        "a command of another user is not known once its worker is gone",
        "orchesjob-flow: update/on_watch_answered",
        replace("event.foreign_target is not None", "False"),
        tests="simulation/test_survivors -k lost_without_a_mark",
    ),
    Mutation(
        "any process with the number of a command counts as the job's",
        "orchesjob-client: foreign_target",
        replace("entry.parent != report.worker_pid", "False"),
        tests="orchesjob-client/test_survivors -k target_of_another",
    ),
    Mutation(
        "what was recorded of a job before its abort is not looked for",
        "orchesjob-flow: end_left_behind",
        replace("known_processes(context, attempt.row)", "()"),
        tests="simulation/test_survivors -k without_a_mark",
    ),
    Mutation(
        "the recorded processes of an earlier boot are taken for a job's",
        "orchesjob-flow: known_processes",
        replace("latest.boot_id != context.now.boot", "False"),
        tests="engine/test_update -k before_an_abort",
    ),
    Mutation(
        "a process that was known is not looked for",
        "orchesjob-client: find_survivors",
        replace(
            "_look({mark(home, key) for key in job_keys}, known)",
            "_look({mark(home, key) for key in job_keys})",
        ),
        tests="orchesjob-client/test_survivors -k known_from_before",
    ),
    Mutation(
        "a run with a cleared environment is none of the step's that started it",
        "orchesjob-flow: parent_by_cgroup",
        replace("one in found", "False"),
        tests="test_parents -k without_a_mark",
    ),
    Mutation(
        "a run that a step of another home starts leaves that step's cgroup",
        "orchesjob-flow: environ_inside",
        replace(
            "os.path.realpath(directory) != os.path.realpath(home.run_directory(named.run_key))",
            "False",
        ),
        tests="test_parents -k unknown_step",
    ),
    Mutation(
        "a run that a step only continues stays in the step's cgroup",
        "orchesjob-client: leave_cgroups",
        replace("mark_of(folder) in left", "False"),
        tests="test_cgroups -k inside_another",
    ),
    Mutation(
        "an inner run that no attempt can take over is left for ever",
        "orchesjob-flow: fate_of_inner",
        replace("run.status.is_terminal or step.status.is_terminal", "False"),
        tests="test_parents -k fates",
    ),
    Mutation(
        "the kin of a job's processes is not looked for",
        "orchesjob-client: trees_of",
        replace("values |= found", "break"),
        tests="test_snapshot",
    ),
    Mutation(
        "a number that another process had before makes kin",
        "orchesjob-client: _inherited",
        replace("snapshot[pid].started_ticks <= entry.started_ticks", "True"),
        tests="test_snapshot",
    ),
    Mutation(
        "an exit is told whoever has the descriptor by now",
        "orchesjob-client: JobWatcher._wait",
        replace("not has_ended(pidfd)", "False"),
        tests="test_watcher",
    ),
    Mutation(
        "whoever names a job is taken for a call about it",
        "orchesjob-client: _options",
        replace("words[place - 1] == kind.verb", "True"),
        tests="test_running_calls -k not_recognised",
    ),
    Mutation(
        "a call about another job is taken for one of ours",
        "orchesjob-client: _options",
        replace("word in told", "word.startswith(kind.about)"),
        tests="test_running_calls -k not_recognised",
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
    Mutation(
        "what a call of a dead runner has started is left behind",
        "orchesjob-client: RunningCall.end",
        replace("entry.group == self.group", "entry.pid == self.process.pid"),
        tests="test_running_calls -k client_calls",
    ),
    # Calls of orchesjob.
    Mutation(
        "what a call that hangs has started is left behind",
        "orchesjob-client: _kill",
        replace("os.killpg(process.pid, signal.SIGKILL)", "process.kill()"),
        tests="test_call -k time_limit",
    ),
    Mutation(
        "a start does not enter the cgroup of its attempt",
        "orchesjob-client: spawn",
        replace("cgroup is None", "cgroup is None or True"),
        tests="test_cgroups -k daemon_without",
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
            "(*logs, handle.calls_lock_path, handle.lock_path)",
            "(handle.lock_path, *logs, handle.calls_lock_path)",
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
        "a key that is missing only because it is misspelled is reported too",
        "flow-spec: Record._report_missing",
        replace("name not in meant", "True"),
        tests="flow-spec/test_advice -k not_missing",
    ),
    Mutation(
        "a week has seven hours",
        "flow-spec: _SECONDS_IN",
        replace("604_800", "25_200"),
        tests="test_durations",
    ),
    Mutation(
        "`prune` forgets a run whose output is left",
        "orchesjob-flow: Pruner._remove",
        replace(
            "self.failed[run.run_key] = str(error)",
            "self.failed[run.run_key] = str(error); emptied.append(Pruned(run, Output()))",
        ),
        tests="test_prune -k orchesjob_fails",
    ),
    Mutation(
        "`prune` takes a named run that has not ended",
        "flow-store: SELECT_ENDED_RUN",
        replace_text(" AND status IN ('SUCCEEDED', 'FAILED', 'CANCELLED')", ""),
        tests="test_prune -k not_ended",
    ),
    Mutation(
        "an interrupted `start` denies the run that it has recorded",
        "orchesjob-flow: record",
        drop("on_record()"),
        tests="test_progress -k test_ctrl_c",
    ),
    Mutation(
        "a message about a wait stays below the finished table",
        "orchesjob-flow: hold_messages",
        replace("message not in now.passing", "True"),
        tests="test_progress -k another_process_advances",
    ),
    Mutation(
        "a cancel is recorded before its home is compared",
        "orchesjob-flow: request_and_await",
        drop("handle = handle.in_home_of(run)"),
        tests="test_other_home -k takeover",
    ),
    Mutation(
        "the last of two run keys wins",
        "orchesjob-flow: CommandOnRun.parse_args",
        replace(
            "all((isinstance(word, str) for word in words)) and (not ctx.resilient_parsing)",
            "not places",
        ),
        tests="test_options",
    ),
    Mutation(
        "start under whichever run is the newest",
        "orchesjob-flow: handle_of",
        replace(
            "run_key == NEWEST and isinstance(ctx.command, CommandThatNames)",
            "run_key is NEWEST and ctx.command is None",
        ),
        tests="test_options",
    ),
    # `--follow`: output reaches people whole, and holds up nobody.
    Mutation(
        "an interrupted command waits for its reader",
        "orchesjob-flow: observed",
        replace("None if is_done else LAST_WORDS_SEC", "None"),
        tests="test_follow -k nobody_reads",
    ),
    Mutation(
        "two steps in one line",
        "orchesjob-flow: Printer._write",
        replace("len(rest) > LONGEST_LINE", "rest"),
        tests="test_step_output -k never_mixed",
    ),
    Mutation(
        "what an attempt printed without a line break waits for the end of the run",
        "orchesjob-flow: Printer.show",
        replace("last or source not in self._growing", "last"),
        tests="test_step_output -k without_a_line_break",
    ),
    # `overview`: what others have written stays as it is.
    Mutation(
        "an overview through a link",
        "orchesjob-flow: read_head",
        replace("0 if follows_link else os.O_NOFOLLOW", "0"),
        replace("GENERATOR not in head", "not head"),
        tests="test_overview -k not_ours",
    ),
    Mutation(
        "a report that is never written again",
        "orchesjob-flow: is_current",
        replace(
            "run.status.is_terminal and all((mark.encode() in head for mark in marks))", "head"
        ),
        tests="test_overview -k has_changed",
    ),
    # `test`: a case that shows nothing is not green.
    Mutation(
        "what a case gives need not happen",
        "orchesjob-flow: try_case",
        replace(
            "[*trial.givens(), *trial.expectations(), *trial.order()]",
            "[*trial.expectations(), *trial.order()]",
        ),
        tests="test_test -k does_not_happen",
    ),
    Mutation(
        "an order holds by chance",
        "orchesjob-flow: Trial.order",
        replace("self._with_slow(first)", "self.played.run"),
        tests="test_test -k however_long",
    ),
    Mutation(
        "a status of no copies holds",
        "orchesjob-flow: Trial.expectations",
        drop("if not steps:"),
        tests="test_test -k no_copies",
    ),
    # Conditions.
    Mutation(
        "an operand has a name that no text can spell",
        "flow-conditions: check_word",
        drop("if not (NAME if role == 'name' else PREDICATE).fullmatch(word):"),
        tests="test_spelling -k read_back",
    ),
    Mutation(
        "a mapping changes constants",
        "flow-conditions: items",
        replace("operand not in CONSTANTS", "True"),
        tests="test_algebra -k constants_have",
    ),
)
