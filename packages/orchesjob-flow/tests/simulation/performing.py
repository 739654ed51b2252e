"""The simulated performer: calls that take their time, go wrong as scripted, and are answered.

A call acts after a while and is answered after another, both drawn from `latency`. The answer goes
to the runner that asked, if it still lives.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from orchesjob_client import (
    DEFAULT_START_TIMEOUT_SEC,
    CallFailed,
    CallRefused,
    CallTimedOut,
    OrchesjobError,
    Watch,
)
from orchesjob_flow.engine.messages import (
    AbortAnswered,
    AbortJob,
    AskRunning,
    AskStatus,
    AttemptId,
    CallBegan,
    CallOff,
    CallUnanswered,
    CheckFiles,
    Effect,
    EndSurvivors,
    Event,
    FilesChecked,
    FilesNoted,
    JobExited,
    LookForSurvivors,
    NoteFiles,
    RunningAnswered,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
    WatchJob,
    WatchProcess,
)

from .jobs import Job, SimulatedOrchesjob, step_of
from .ports import VirtualInbox

FENCED = ("start", "abort")
"""The calls whose end a new runner waits for before it begins."""
HANG_SEC = 400.0
"""How long a call hangs that nobody ends: its runner is dead, or cannot."""
LATE_SEC = 3.0
CAUSES = {
    "fail": "database is locked",
    "lose": "the disk is full",
    "hang": "no answer in time",
    "stall": "no answer in time",
    "stick": "no answer in time",
    "refuse": "Argument list too long",
    "dead": "killed",
    "late": "killed",
}


ERRORS: dict[str, type[OrchesjobError]] = {
    "refuse": CallRefused,
    "hang": CallTimedOut,
    "stall": CallTimedOut,
}


class Calls:
    """What runners ask of orchesjob and of the system, and how that is answered."""

    def __init__(
        self,
        jobs: SimulatedOrchesjob,
        key_of: Callable[[AttemptId], str],
        call_sec: Callable[[], float],
    ) -> None:
        self.latency = (0.01, 0.2)
        self.pidfd = True
        self.fault: Callable[[str, str], str] = lambda _call, _key: ""
        """What goes wrong with a call for a key when no script says so."""
        self.wait_sec: Callable[[], float] = lambda: 0.0
        """How long the next call waits for its place among those of all runners."""
        self.on_question: Callable[[str], None] = lambda _: None
        """Is called with the key of every `status`, and with "" for `status --running`."""
        self.on_answer: Callable[[Event], None] = lambda _: None
        """Is called with every event before its runner gets it."""
        self._machine = jobs.machine
        self._jobs = jobs
        self._key_of = key_of
        self._call_sec = call_sec
        self._made: list[tuple[float, str, str]] = []
        self._scripts: list[tuple[str, str, deque[str]]] = []
        self._inboxes: list[VirtualInbox] = []
        self._fenced = 0

    def script(self, call: str, key: str, *faults: str) -> None:
        """Let the next calls of a kind for keys that end with `key` go wrong; "" is no fault.

        `fail`: nothing was done; `lose`: it was done, and the answer lost; `hang`: no answer
        comes, until its runner ends the call; `stall`: nor that, and it is done at that very
        moment; `stick`: no answer comes, and nobody can end the call; `refuse`: it can never work;
        `prevent`: a start is not made at all, because its variables cannot be read;
        `dead`: a start dies before its worker is there; `late`: so it seems, but a
        launcher is alive and the worker comes after 3 seconds.
        """
        self._scripts.append((call, key, deque(faults)))

    def made(self, call: str, key: str = "") -> list[float]:
        """List when a call was made for keys that end with `key`."""
        return [when for when, what, whose in self._made if what == call and whose.endswith(key)]

    def abandon(self) -> None:
        """Let nobody hear the answers to the runners that are dead now."""
        for inbox in self._inboxes:
            inbox.is_read = False
        self._inboxes.clear()

    def forget(self) -> None:
        """End all calls under way, as a restart of the machine does."""
        self._fenced = 0

    def wait_for_all(self) -> None:
        """Let time pass until no start or abort is under way, as a new runner does."""
        while self._fenced:
            self._machine.pass_time(self._machine.mono + 1)

    def perform(self, effect: Effect, inbox: VirtualInbox) -> None:
        if inbox not in self._inboxes:
            self._inboxes.append(inbox)
        match effect:
            case StartJob():
                self._call("start", effect, effect.attempt_key, inbox, lambda: self._start(effect))
            case CallOff():
                self._call_off(effect.attempt, inbox)
            case AskStatus():
                self.on_question(effect.attempt_key)
                self._call(
                    "status", effect, effect.attempt_key, inbox, lambda: self._status(effect)
                )
            case AskRunning():
                self.on_question("")
                self._call("running", effect, "", inbox, self._running)
            case AbortJob():
                key = self._key_of(effect.attempt)
                self._call("abort", effect, key, inbox, lambda: self._abort(effect))
            case WatchJob():
                key = effect.job.job_key
                self._call("watch", effect, key, inbox, lambda: self._watch(effect, inbox))
            case WatchProcess():
                key = self._key_of(effect.attempt)
                self._call("watch", effect, key, inbox, lambda: self._watch_process(effect, inbox))
            case NoteFiles() | CheckFiles():
                self._look_at_files(effect, inbox)
            case LookForSurvivors():
                self._look("look", effect, inbox)
            case EndSurvivors():
                self._jobs.end_processes(effect.attempt_keys, effect.grace_sec)
                self._look("end", effect, inbox, effect.grace_sec)

    def _start(self, effect: StartJob) -> Event:
        report = self._jobs.start(effect.attempt_key, effect.command, strict=effect.strict)
        return StartAnswered(effect.attempt, report)

    def _status(self, effect: AskStatus) -> Event:
        return StatusAnswered(effect.attempt, self._jobs.status(effect.attempt_key))

    def _abort(self, effect: AbortJob) -> Event:
        report = self._jobs.abort(effect.job_id, effect.reason, effect.grace_sec)
        return AbortAnswered(effect.attempt, report)

    def _running(self) -> Event:
        return RunningAnswered(self._jobs.running())

    def _watch(self, effect: WatchJob, inbox: VirtualInbox) -> Event:
        if not self.pidfd:
            return WatchAnswered(effect.attempt, Watch.UNSUPPORTED)
        job = self._jobs.find(effect.job.job_id)
        if job is None or not job.worker_alive:
            return WatchAnswered(effect.attempt, Watch.GONE)
        job.on_exit.append(lambda: self._post(JobExited(effect.attempt), inbox))
        return WatchAnswered(effect.attempt, Watch.WATCHING, self._jobs.foreign_target(job))

    def _watch_process(self, effect: WatchProcess, inbox: VirtualInbox) -> Event:
        if not self.pidfd:
            return WatchAnswered(effect.attempt, Watch.UNSUPPORTED)
        tell = partial(self._post, JobExited(effect.attempt), inbox)
        return WatchAnswered(effect.attempt, self._jobs.watch(effect.process, tell))

    def _look_at_files(self, effect: NoteFiles | CheckFiles, inbox: VirtualInbox) -> None:
        """Answer with how often the files were written; much too late if a script says `hang`."""
        key, attempt = self._key_of(effect.attempt), effect.attempt
        call = "note" if isinstance(effect, NoteFiles) else "check"
        self._note(call, key)
        self._post(CallBegan(attempt), inbox)
        inbox.awaited[attempt] += 1

        def answer() -> None:
            inbox.awaited[attempt] -= 1
            found = str(self._jobs.written[step_of(key)])
            if isinstance(effect, NoteFiles):
                self._post(FilesNoted(attempt, found), inbox)
            else:
                flaw = "has not written its file" if found == effect.noted else None
                self._post(FilesChecked(attempt, flaw), inbox)

        hangs = self._scripted(call, key) == "hang"
        self._machine.after(HANG_SEC if hangs else self._latency(), answer)

    def _look(
        self,
        call: str,
        effect: LookForSurvivors | EndSurvivors,
        inbox: VirtualInbox,
        takes: float = 0,
    ) -> None:
        """Answer with what is alive: at once if that is nothing, else when the grace is over."""
        self._note(call, "" if effect.attempt is None else self._key_of(effect.attempt))
        keys = effect.attempt_keys
        waits = takes if self._jobs.found(keys, effect.known) else 0.0
        inbox.awaited[effect.attempt] += 1

        def answer() -> None:
            inbox.awaited[effect.attempt] -= 1
            found = self._jobs.found(keys, effect.known)
            self._post(SurvivorsSeen(effect.attempt, found), inbox)

        self._machine.after(self._latency() + waits, answer)

    def _call(
        self,
        call: str,
        effect: StartJob | AskStatus | AskRunning | AbortJob | WatchJob | WatchProcess,
        key: str,
        inbox: VirtualInbox,
        act: Callable[[], Event],
    ) -> None:
        self._note(call, key)
        fault = ""
        attempt = None if isinstance(effect, AskRunning) else effect.attempt
        inbox.awaited[attempt] += 1
        made = inbox.called(key, self._machine.mono)

        def begin() -> None:
            """Begin when there is a place, if the runner lives and has not called it off."""
            nonlocal fault
            if made.is_called_off or not inbox.is_read:
                return
            fault = self._next_fault(call, key)  # only a call that is really made goes wrong
            made.at = self._machine.mono
            self._fenced += call in FENCED
            self._post(CallBegan(attempt), inbox)
            if fault in ("hang", "stall"):
                self._machine.after(self._call_sec() + self._allowance(effect), end)
            else:
                self._machine.after(HANG_SEC if fault == "stick" else self._latency(), do)

        def do() -> None:
            event = self._do(call, effect, act, fault)
            self._machine.after(self._latency() + self._grace(effect), lambda: answer(event))

        def end() -> None:
            """End a call at its limit, if its runner lives to do so; else it hangs on."""
            if inbox.is_read:
                answer(self._do(call, effect, act, fault))
            else:
                self._machine.after(HANG_SEC, do)

        def answer(event: Event) -> None:
            inbox.awaited[attempt] -= 1
            self._fenced -= call in FENCED
            made.is_under_way = False
            made.is_unanswered = isinstance(event, CallUnanswered)
            self._post(event, inbox)

        waits = 0.0 if isinstance(effect, WatchJob | WatchProcess) else self.wait_sec()
        if waits:
            self._machine.after(waits, begin)
        else:
            begin()

    def _call_off(self, attempt: AttemptId, inbox: VirtualInbox) -> None:
        key = self._key_of(attempt)
        for made in inbox.calls:
            if made.key == key and made.at is None and not made.is_called_off:
                made.is_called_off = True
                made.is_under_way = False
                inbox.awaited[attempt] -= 1
                self._post(StartCalledOff(attempt), inbox)

    def _allowance(self, effect: Effect) -> float:
        """Tell how much longer than any other a call may take, as `orchesjob_client` counts it."""
        match effect:
            case StartJob(start_timeout_sec=None):
                return DEFAULT_START_TIMEOUT_SEC
            case StartJob():
                return effect.start_timeout_sec or 0.0
            case AbortJob():
                return effect.grace_sec
            case _:
                return 0.0

    def _grace(self, effect: Effect) -> float:
        """Tell how long an abort that has signalled waits for what is alive."""
        if not isinstance(effect, AbortJob):
            return 0.0
        return effect.grace_sec if self._jobs.processes([self._key_of(effect.attempt)]) else 0.0

    def _do(
        self,
        call: str,
        effect: StartJob | AskStatus | AskRunning | AbortJob | WatchJob | WatchProcess,
        act: Callable[[], Event],
        fault: str,
    ) -> Event:
        """Act, unless the fault is that nothing is done; return the answer, if there is one."""
        if fault == "":
            return act()
        if fault == "prevent" and isinstance(effect, StartJob):
            return StartPrevented(effect.attempt, "env_file is missing")
        if fault in ("lose", "stall"):
            act()
        if fault in ("dead", "late") and isinstance(effect, StartJob):
            job = self._jobs.insert(effect.attempt_key, effect.command)
            if fault == "late":
                job.launcher_alive = True
                self._machine.after(LATE_SEC, lambda: self._launch(job))
        error = ERRORS.get(fault, CallFailed)
        attempt = None if isinstance(effect, AskRunning) else effect.attempt
        return CallUnanswered(attempt, error(f"orchesjob {call}", CAUSES[fault]))

    def _launch(self, job: Job) -> None:
        if job.launcher_alive:
            self._jobs.give_worker(job)

    def _note(self, call: str, key: str) -> None:
        self._made.append((self._machine.mono, call, key))

    def _next_fault(self, call: str, key: str) -> str:
        scripted = self._scripted(call, key)
        return self.fault(call, key) if scripted is None else scripted

    def _scripted(self, call: str, key: str) -> str | None:
        for what, whose, faults in self._scripts:
            if what == call and key.endswith(whose) and faults:
                return faults.popleft()
        return None

    def _latency(self) -> float:
        return self._machine.random.uniform(*self.latency)

    def _post(self, event: Event, inbox: VirtualInbox) -> None:
        if inbox.is_read:
            self.on_answer(event)
            inbox.post(event)
