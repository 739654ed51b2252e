"""The simulated performer: calls that take their time, go wrong as scripted, and are answered.

A call acts after a while and is answered after another, both drawn from `latency`. The answer goes
to the runner that asked, if it still lives.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

import attrs

from orchesjob_client import (
    DEFAULT_START_TIMEOUT_SEC,
    CallFailed,
    CallRefused,
    CallTimedOut,
    OrchesjobError,
    Process,
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
    GiveUp,
    JobExited,
    LookForSurvivors,
    NoteFiles,
    RunningAnswered,
    SetTimer,
    StartAnswered,
    StartCalledOff,
    StartJob,
    StartPrevented,
    StatusAnswered,
    SurvivorsSeen,
    Warn,
    WatchAnswered,
    WatchJob,
    WatchProcess,
)

from .jobs import Job, SimulatedOrchesjob, step_of
from .machine import Machine
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
type Called = StartJob | AskStatus | AskRunning | AbortJob | WatchJob | WatchProcess
CALLS: dict[type[Called], str] = {
    StartJob: "start",
    AskStatus: "status",
    AskRunning: "running",
    AbortJob: "abort",
    WatchJob: "watch",
    WatchProcess: "watch",
}


@attrs.define
class Calls:
    """What runners ask of orchesjob and of the system, and how that is answered."""

    _jobs: SimulatedOrchesjob
    _key_of: Callable[[AttemptId], str]
    _call_sec: Callable[[], float]
    latency: tuple[float, float] = (0.01, 0.2)
    pidfd: bool = True
    fault: Callable[[str, str], str] = lambda _call, _key: ""
    """What goes wrong with a call for a key when no script says so."""
    wait_sec: Callable[[], float] = lambda: 0.0
    """How long the next call waits for its place among those of all runners."""
    on_question: Callable[[str], None] = lambda _: None
    """Is called with the key of every `status`, and with "" for `status --running`."""
    on_answer: Callable[[Event], None] = lambda _: None
    """Is called with every event before its runner gets it."""
    _made: list[tuple[float, str, str]] = attrs.Factory(list)
    _scripts: list[tuple[str, str, deque[str]]] = attrs.Factory(list)
    _inboxes: list[VirtualInbox] = attrs.Factory(list)
    _fenced: int = 0

    @property
    def _machine(self) -> Machine:
        return self._jobs.machine

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
            case CallOff():
                self._call_off(effect.attempt, inbox)
            case NoteFiles() | CheckFiles():
                self._look_at_files(effect, inbox)
            case LookForSurvivors():
                self._look("look", effect, inbox)
            case EndSurvivors():
                self._jobs.end_processes(effect.attempt_keys, effect.grace_sec)
                self._look("end", effect, inbox, effect.grace_sec)
            case SetTimer() | Warn() | GiveUp():
                raise TypeError(effect)  # those are carried out by the loop
            case _:
                self._call(effect, inbox)

    def _act(self, effect: Called, inbox: VirtualInbox) -> Event:
        match effect:
            case StartJob(attempt, key, command):
                return StartAnswered(attempt, self._jobs.start(key, command, strict=effect.strict))
            case AskStatus(attempt, key):
                return StatusAnswered(attempt, self._jobs.status(key))
            case AskRunning():
                return RunningAnswered(self._jobs.running())
            case AbortJob():
                report = self._jobs.abort(effect.job_id, effect.reason, effect.grace_sec)
                return AbortAnswered(effect.attempt, report)
            case WatchJob() | WatchProcess():
                return WatchAnswered(effect.attempt, *self._watch(effect, inbox))

    def _watch(
        self, effect: WatchJob | WatchProcess, inbox: VirtualInbox
    ) -> tuple[Watch, Process | None]:
        tell = partial(self._post, JobExited(effect.attempt), inbox)
        if not self.pidfd:
            return Watch.UNSUPPORTED, None
        if isinstance(effect, WatchProcess):
            return self._jobs.watch(effect.process, tell), None
        job = self._jobs.find(effect.job.job_id)
        if job is None or not job.worker_alive:
            return Watch.GONE, None
        job.on_exit.append(tell)
        return Watch.WATCHING, self._jobs.foreign_target(job)

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

    def _call(self, effect: Called, inbox: VirtualInbox) -> None:
        call, fault = CALLS[type(effect)], ""
        attempt = None if isinstance(effect, AskRunning) else effect.attempt
        key = "" if attempt is None else self._key_of(attempt)
        if call in ("status", "running"):
            self.on_question(key)
        self._note(call, key)
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
            event = self._do(effect, inbox, fault)
            self._machine.after(self._latency() + self._grace(effect), lambda: answer(event))

        def end() -> None:
            """End a call at its limit, if its runner lives to do so; else it hangs on."""
            if inbox.is_read:
                answer(self._do(effect, inbox, fault))
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

    def _do(self, effect: Called, inbox: VirtualInbox, fault: str) -> Event:
        """Act, unless the fault is that nothing is done; return the answer, if there is one."""
        if fault == "":
            return self._act(effect, inbox)
        if fault == "prevent" and isinstance(effect, StartJob):
            return StartPrevented(effect.attempt, "env_file is missing")
        if fault in ("lose", "stall"):
            self._act(effect, inbox)
        if fault in ("dead", "late") and isinstance(effect, StartJob):
            job = self._jobs.insert(effect.attempt_key, effect.command)
            if fault == "late":
                job.launcher_alive = True
                self._machine.after(LATE_SEC, lambda: self._launch(job))
        error = ERRORS.get(fault, CallFailed)
        attempt = None if isinstance(effect, AskRunning) else effect.attempt
        return CallUnanswered(attempt, error(f"orchesjob {CALLS[type(effect)]}", CAUSES[fault]))

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
