"""Where the time of one short step goes: orchesjob's start, its wait, our commit, our own work."""

import os
import time
from collections.abc import Callable, Mapping
from statistics import median

from flow_store import Changes, FlowStore, Step, StepStatus
from measuring import flows
from measuring.figures import Figure, interleave
from measuring.growth import use_start
from measuring.workplace import Workplace

STEPS = 200
BAR = 60


def parts_of_a_step(place: Workplace) -> list[Figure]:
    """Measure the four parts, and hold what is ours against the whole."""
    waits: list[float] = []
    taken = interleave(
        place.rounds(6),
        {
            "start": lambda: launcher_cpu(place, waits),
            "commit": lambda: commit(place),
            "own": own_work(place),
        },
    )
    parts = {
        "# orchesjob's start": median(taken["start"]),
        "- its wait for its worker": median(waits),
        "= our commit": median(taken["commit"]),
        "+ our own work": median(taken["own"]),
    }
    whole = sum(parts.values())
    ours = [sum(pair) for pair in zip(taken["commit"], taken["own"], strict=True)]
    return [
        Figure(
            "of a short step's time, the part that is ours, the commit included",
            [each / whole for each in ours],
            0.05,
            note="; ".join(f"{name} {took * 1e3:.1f} ms" for name, took in parts.items())
            + f" [{bar(parts)}]",
        )
    ]


def launcher_cpu(place: Workplace, waits: list[float]) -> float:
    """Start a no-op job; return what the launcher computed, and note how long it waited beside."""
    words = [place.orchesjob, "start", "--strict", "--run-key=k", "--", "true"]
    nowhere = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
    with place.home() as environment:
        began = time.perf_counter()
        child = os.posix_spawn(place.orchesjob, words, environment, file_actions=nowhere)
        _, _, usage = os.wait4(child, 0)
        computed = usage.ru_utime + usage.ru_stime
        waits.append(time.perf_counter() - began - computed)
    return computed


def commit(place: Workplace) -> float:
    """Record the end of each of many steps in a real file; return the time of one."""
    steps = [(f"s{number}", 0) for number in range(STEPS)]
    with FlowStore.open(place.write("", ".sqlite3")) as store:
        store.create(
            run_key="run",
            flow_id="benchmark",
            definition="{}",
            directory="/",
            flow_dir="/",
            orchesjob_home="/srv/jobs",
            started_at=0.0,
            steps=steps,
        )
        began = time.perf_counter()
        for number, (name, _) in enumerate(steps):
            ended = Step(number, name, StepStatus.SUCCEEDED, 1, 0, 0)
            store.apply("run", Changes(steps={number: ended}), revision=number)
        return (time.perf_counter() - began) / STEPS


def own_work(place: Workplace) -> Callable[[], float]:
    """Return an action: the runner's processor time per step, that of its own start taken off."""

    def act() -> float:
        many, one = (use_start(place, flows.chain(count)).cpu_sec for count in (STEPS, 1))
        return (many - one) / (STEPS - 1)

    return act


def bar(parts: Mapping[str, float]) -> str:
    """Draw the parts side by side; what is thinner than a character is one all the same."""
    width = BAR / sum(parts.values())
    return "".join(name[0] * max(1, round(part * width)) for name, part in parts.items())
