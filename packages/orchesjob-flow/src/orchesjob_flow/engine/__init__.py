"""The engine's functional core: `update(run, event, now)` says what to record and what to do.

Nothing in this package asks for the time, touches a file, starts a process or prints. The same run,
event and moment always give the same decision, so that every rule can be tried without any of them.

This is its map. A status that is not listed as a beginning is final until `retry` or `settle`
reopens the run (`reopening`).

Statuses of a run:

    PENDING    RUNNING    update.begin_run           its runner starts, or it is first in its group
    RUNNING    SUCCEEDED  update.finish_run          no step failed, and `finally` is over
    RUNNING    FAILED     update.finish_run          a step failed, or the run's time was over
    RUNNING    CANCELLED  update.finish_run          a cancel left a step undone
    PENDING    any end    update.finish_run          as above, in the commit of its beginning; or
                                                     `end_before_beginning`: a cancel reached it
                                                     in the queue of its group
    any end    PENDING    reopening.plan_retry       a person retries it, or settles a step

Statuses of a step:

    PENDING    SKIPPED    steps.decide_steps         its condition is false, or `--until` omits it
    PENDING    RUNNING    attempts.begin_attempt     its dependencies have ended, and there is room
    PENDING    DELAYED    steps.enqueue_or_wait      processes of its last attempt are still alive
    DELAYED    RUNNING    attempts.begin_attempt     the delay is over, and those processes are gone
    RUNNING    PENDING    steps.retry_step           it is retried at once; or `pass_gate`: its gate
                                                     lets it run; or `discard_start`: its start died
    RUNNING    DELAYED    steps.retry_step           it is retried after a delay
    RUNNING    SUCCEEDED  attempts.succeed           its command has succeeded
    RUNNING    SKIPPED    attempts.skip              its gate or its exit code skips it
    RUNNING    FAILED     attempts.fail_attempt      its last attempt has failed; or `fail_foreign`:
                                                     somebody else's job has its key
    PENDING    CANCELLED  update.conclude            the run is ended early
    DELAYED    CANCELLED  update.conclude            the run is ended early
    RUNNING    CANCELLED  update.conclude            the run is ended early, and its attempt is over
    any end    PENDING    reopening.plan_retry       `retry` runs it again
    FAILED     SUCCEEDED  reopening.plan_settle      a person has said so
    FAILED     SKIPPED    reopening.plan_settle      a person has said so
    CANCELLED  SUCCEEDED  reopening.plan_settle      a person has said so
    CANCELLED  SKIPPED    reopening.plan_settle      a person has said so

Statuses of an attempt. `attempts.act_on_report` decides them, the search for survivors, and where
no call can be made, `attempts.fail_start`:

    STARTING   RUNNING    attempts.note_active       orchesjob reports a worker; or
                                                     `note_survivors`: processes of a lost one live
    STARTING   NEVER_RAN  attempts.discard_start     its start died before the command began
    STARTING   any end    attempts.close_attempt     the first report is one of an ended job
    RUNNING    SUCCEEDED  attempts.succeed           its command, or its gate, has succeeded
    RUNNING    SKIPPED    attempts.skip              its exit code skips the step
    RUNNING    FAILED     attempts.fail_attempt      it has failed, timed out, or is lost, or has
                                                     not written what it is to write
    RUNNING    CANCELLED  attempts.cancel_attempt    it was ended because its run is

Events, what each is about, and who answers it (`update.HANDLERS`):

    RunnerStarted    the run       begin or resume: ask about each open attempt, then set the
                                   deadline or obey a cancel
    FilesNoted       an attempt    start its job, or fail the attempt
    StartAnswered    an attempt    judge the job
    StartPrevented   an attempt    start without optional files, or fail the attempt
    StatusAnswered   an attempt    judge the job, or act on "no such key"
    AbortAnswered    an attempt    judge the job, or ask what became of it
    CallBegan        a call        count its time limit from now
    StartCalledOff   an attempt    nothing has run: close it
    RunningAnswered  the run       ask about each polled job that no longer runs
    CallUnanswered   a call        ask for the status, again and again until the patience is over;
                                   then give up
    WatchAnswered    an attempt    await the exit of its worker, or poll
    JobExited        an attempt    ask how it ended: an exit alone is no outcome
    FilesChecked     an attempt    succeed, or fail by what it has not written
    SurvivorsSeen    processes     close what has none left; else name them, and look again
    TimerDue         a timer       do what it was set for, if that still matters
    QueueSeen        the run       begin if it is first in its group
    CancelSeen       the run       end its attempts; `finally` still runs

Effects, and the event that answers each:

    NoteFiles         FilesNoted
    StartJob          StartAnswered, StartPrevented, StartCalledOff or CallUnanswered
    CallOff           none; a start that has not begun is answered with StartCalledOff
    AskStatus         StatusAnswered or CallUnanswered
    AskRunning        RunningAnswered or CallUnanswered
    AbortJob          AbortAnswered or CallUnanswered
    WatchJob          WatchAnswered, and JobExited later
    WatchProcess      WatchAnswered, and JobExited later
    CheckFiles        FilesChecked
    LookForSurvivors  SurvivorsSeen
    EndSurvivors      SurvivorsSeen
    SetTimer          TimerDue, once
    Warn              none
    GiveUp            none; the runner stops, and the run can be resumed

After each event `update.advance` decides what else follows: which steps may start, whether the run
is over, and whether `finally` begins.
"""

from orchesjob_flow.engine.update import update

__all__ = ["update"]
