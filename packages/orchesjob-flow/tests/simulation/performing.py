"""The simulated performer: calls that take their time, go wrong as scripted, and are answered.

A call acts after a while and is answered after another, both drawn from `latency`.
"""

from collections import deque
from collections.abc import Callable

from orchesjob_client import CallFailed as OrchesjobFailed
from orchesjob_client import CallRefused, Watch
from orchesjob_flow.engine.effects import (
    AbortJob,
    AskRunning,
    AskStatus,
    Effect,
    EndSurvivors,
    LookForSurvivors,
    StartJob,
    WatchJob,
)
from orchesjob_flow.engine.events import (
    AbortAnswered,
    AttemptId,
    CallFailed,
    Event,
    JobExited,
    RunningAnswered,
    StartAnswered,
    StatusAnswered,
    SurvivorsSeen,
    WatchAnswered,
)

from .jobs import SimulatedOrchesjob

HANG_SEC = 400.0
LATE_SEC = 3.0
CAUSES = {
    "fail": "database is locked",
    "lose": "the disk is full",
    "hang": "no answer in time",
    "refuse": "Argument list too long",
    "dead": "killed",
    "late": "killed",
}


class Calls:
    """What a runner asks of orchesjob and of the system, and how that is answered."""

    def __init__(
        self,
        jobs: SimulatedOrchesjob,
        post: Callable[[Event], None],
        key_of: Callable[[AttemptId], str],
    ) -> None:
        self.latency = (0.01, 0.2)
        self.pidfd = True
        self._machine = jobs.machine
        self._jobs = jobs
        self._post_to_runner = post
        self._key_of = key_of
        self._made: list[tuple[float, str, str]] = []
        self._scripts: list[tuple[str, str, deque[str]]] = []
        self._runner = 0
        self._in_flight = 0

    def script(self, call: str, key: str, *faults: str) -> None:
        """Let the next calls of a kind for keys that end with `key` go wrong; "" is no fault.

        `fail`: nothing was done; `lose`: it was done, and the answer lost; `hang`: no answer
        comes; `refuse`: it can never work; `dead`: a start dies before its worker is there;
        `late`: so it seems, but a launcher is alive and the worker comes after 3 seconds.
        """
        self._scripts.append((call, key, deque(faults)))

    def made(self, call: str, key: str = "") -> list[float]:
        """List when a call was made for keys that end with `key`."""
        return [when for when, what, whose in self._made if what == call and whose.endswith(key)]

    def abandon(self) -> None:
        """Let nobody hear the answers to a dead runner."""
        self._runner += 1

    def forget(self) -> None:
        """End all calls under way, as a restart of the machine does."""
        self._in_flight = 0

    def wait_for_all(self) -> None:
        """Let time pass until no call is under way, as a new runner does before it begins."""
        while self._in_flight:
            self._machine.pass_time(self._machine.mono + 1)

    def perform(self, effect: Effect) -> None:
        """Begin to perform an effect."""
        match effect:
            case StartJob():
                self._call("start", effect, effect.run_key, lambda: self._start(effect))
            case AskStatus():
                self._call("status", effect, effect.run_key, lambda: self._status(effect))
            case AskRunning():
                self._call("running", effect, "", lambda: RunningAnswered(self._jobs.running()))
            case AbortJob():
                key = self._key_of(effect.attempt)
                self._call("abort", effect, key, lambda: self._abort(effect), effect.grace_sec)
            case WatchJob():
                self._call("watch", effect, effect.job.run_key, lambda: self._watch(effect))
            case LookForSurvivors():
                self._look("look", effect)
            case EndSurvivors():
                self._jobs.end_processes(effect.run_keys, effect.grace_sec)
                self._look("end", effect, effect.grace_sec)

    def _start(self, effect: StartJob) -> Event:
        report = self._jobs.start(effect.run_key, effect.command, strict=effect.strict)
        return StartAnswered(effect.attempt, report)

    def _status(self, effect: AskStatus) -> Event:
        return StatusAnswered(effect.attempt, self._jobs.status(effect.run_key))

    def _abort(self, effect: AbortJob) -> Event:
        report = self._jobs.abort(effect.job_id, effect.grace_sec)
        return AbortAnswered(effect.attempt, report)

    def _watch(self, effect: WatchJob) -> Event:
        if not self.pidfd:
            return WatchAnswered(effect.attempt, Watch.UNSUPPORTED)
        job = self._jobs.find(effect.job.job_id)
        if job is None or not job.worker_alive:
            return WatchAnswered(effect.attempt, Watch.GONE)
        runner = self._runner
        job.on_exit.append(lambda: self._post(JobExited(effect.attempt), runner))
        return WatchAnswered(effect.attempt, Watch.WATCHING)

    def _look(self, call: str, effect: LookForSurvivors | EndSurvivors, takes: float = 0) -> None:
        """Answer with what is alive: at once if that is nothing, else when the grace is over."""
        self._note(call, "" if effect.attempt is None else self._key_of(effect.attempt))
        runner, keys = self._runner, effect.run_keys
        waits = takes if self._jobs.processes(keys) else 0.0

        def answer() -> None:
            self._post(SurvivorsSeen(effect.attempt, self._jobs.processes(keys)), runner)

        self._machine.after(self._latency() + waits, answer)

    def _call(
        self, call: str, effect: Effect, key: str, act: Callable[[], Event], takes: float = 0
    ) -> None:
        self._note(call, key)
        fault = self._next_fault(call, key)
        runner = self._runner
        self._in_flight += 1

        def do() -> None:
            event = self._do(call, effect, act, fault)
            waits = takes if takes and self._jobs.processes([key]) else 0.0
            self._machine.after(self._latency() + waits, lambda: answer(event))

        def answer(event: Event) -> None:
            self._in_flight -= 1
            self._post(event, runner)

        self._machine.after(HANG_SEC if fault == "hang" else self._latency(), do)

    def _do(self, call: str, effect: Effect, act: Callable[[], Event], fault: str) -> Event:
        """Act, unless the fault is not to; what it does not tell is told as a failure."""
        if fault == "":
            return act()
        if fault == "lose":
            act()
        if fault in ("dead", "late") and isinstance(effect, StartJob):
            job = self._jobs.insert(effect.run_key, effect.command)
            if fault == "late":
                job.launcher_alive = True
                self._machine.after(LATE_SEC, lambda: self._jobs.give_worker(job))
        error = CallRefused if fault == "refuse" else OrchesjobFailed
        attempt = None if isinstance(effect, AskRunning) else effect.attempt  # type: ignore[union-attr]
        return CallFailed(attempt, error(f"orchesjob {call}", CAUSES[fault]))

    def _note(self, call: str, key: str) -> None:
        self._made.append((self._machine.mono, call, key))

    def _next_fault(self, call: str, key: str) -> str:
        for what, whose, faults in self._scripts:
            if what == call and key.endswith(whose) and faults:
                return faults.popleft()
        return ""

    def _latency(self) -> float:
        return self._machine.random.uniform(*self.latency)

    def _post(self, event: Event, runner: int) -> None:
        if runner == self._runner:
            self._post_to_runner(event)
