"""What each step of a large run costs, and what grows faster than the number of steps.

A near-free orchesjob answers. Its process is all that a step takes beside our own work.
"""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

from measuring import flows
from measuring.figures import Figure, interleave, ratios
from measuring.workplace import NEAR_FREE, OWN_USAGE, Workplace, run

SOME, MANY = 600, 4800
STEP_MS = {"independent": 1.5, "in a chain": 1.8}
SHAPES: Mapping[str, Callable[[int], str]] = {
    "independent": flows.independent,
    "in a chain": flows.chain,
}
SHOWN = {
    "without a terminal": [],
    "on a terminal": [],
    "with --progress plain": ["--progress=plain"],
}

DIAMONDS = {"half": 800, "whole": 1600}
"""How many steps each has."""

FEW, MOST = 1000, 10_000
LARGE: Mapping[str, Callable[[int], str]] = {
    "chain": flows.chain,
    "wide": flows.independent,
    "layers of 100": lambda count: flows.layers(count // 100, 100),
}
LAST = {
    "chain": lambda count: f"s{count - 1}",
    "wide": lambda count: f"s{count - 1}",
    "layers of 100": lambda count: f"layer{count // 100 - 1}@100",
}
"""The id of a step that no other waits for."""


class Used(NamedTuple):
    """What a command used, without its children."""

    wall_sec: float
    cpu_sec: float
    resident_mb: float


def cost_per_step(place: Workplace) -> list[Figure]:
    """Measure the time of each step, and compare the steps of large runs with those of small ones.

    The time of a one-step run is taken off both for the ratio, for it would hide a growth.
    """
    taken: dict[str, list[Used]] = {}

    def measure(name: str, shape: str, count: int, shown: str) -> Callable[[], float]:
        flow = place.write(SHAPES[shape](count))

        def act() -> float:
            with place.home(NEAR_FREE) as environment:
                words = ["start", "--run-key=run", *SHOWN[shown], flow]
                used = use(place, words, environment, on_terminal=shown == "on a terminal")
            taken.setdefault(name, []).append(used)
            return used.wall_sec

        return act

    cases = [(shape, shown) for shape in SHAPES for shown in SHOWN]
    counts = {"one": 1, "some": SOME, "many": MANY}
    actions = {
        f"{shape} {shown} {name}": measure(f"{shape} {shown} {name}", shape, count, shown)
        for shape, shown in cases
        for name, count in counts.items()
    }
    interleave(1 if place.quick else 3, actions)
    figures = []
    for shape, shown in cases:
        some = taken[f"{shape} {shown} some"]
        own = [each.cpu_sec / SOME * 1e3 for each in some]
        figures.append(
            Figure(
                f"time per step of `start`, {SOME} steps {shape}, {shown}",
                [each.wall_sec / SOME * 1e3 for each in some],
                STEP_MS[shape],
                unit=" ms",
                note=f"the runner's own CPU: {min(own):.2f} ms; both include its start and the"
                " reading of the flow",
            )
        )
    for shape, shown in cases:
        one, some, many = (taken[f"{shape} {shown} {name}"] for name in counts)
        for what, field in (("CPU", "cpu_sec"), ("time", "wall_sec")):
            alone, small, large = (
                [getattr(each, field) for each in samples] for samples in (one, some, many)
            )
            few, lots = per_step(small, alone, SOME), per_step(large, alone, MANY)
            figures.append(
                Figure(
                    f"{what} per step of {MANY:,} steps / of {SOME}, {shape}, {shown}",
                    ratios(lots, few),
                    1.1,
                    note=f"{min(lots):.2f} ms against {min(few):.2f} ms",
                )
            )
    return figures


def growth_of_commands(place: Workplace) -> list[Figure]:
    """Measure the commands about runs of 1,000 and of 10,000 steps: time, memory, time per step."""
    figures = []
    for shape, spell in LARGE.items():
        samples: dict[tuple[int, str], list[Used]] = {}
        # What is short is repeated: its part per step is a small difference of two times.
        for count, rounds in ((1, 5), (FEW, 5), (MOST, 1 if place.quick else 2)):
            size = max(count, 100) if "layers" in shape else count
            flow = place.write(spell(size) if count > 1 else flows.chain(1))
            last = LAST[shape](size) if count > 1 else "s0"
            for _ in range(rounds):
                for command, used in use_all(place, flow, last):
                    samples.setdefault((count, command), []).append(used)
        for command in ("start", "status", "report", "graph", "explain", "retry"):
            one, few, most = (samples[count, command] for count in (1, FEW, MOST))
            # The least of each: what else ran is not ours.
            alone, small, large = (
                [min(each.cpu_sec for each in samples_)] for samples_ in (one, few, most)
            )
            resident = max(each.resident_mb for each in most)
            figures.append(
                Figure(
                    f"CPU per step of `{command}`, {MOST:,} steps / {FEW:,}, {shape}",
                    ratios(per_step(large, alone, MOST), per_step(small, alone, FEW)),
                    1.2,
                    note=f"{min(large):.2f} s against {min(small):.2f} s; memory {resident:.0f} MB"
                    f" against {max(each.resident_mb for each in few):.0f} MB",
                )
            )
    return figures


def layers(place: Workplace) -> list[Figure]:
    """Compare diamonds of two sizes; and steps that wait for a whole layer with others."""
    # Half a diamond has layers as wide: a smaller one would have fewer dependencies per step.
    shapes = {
        "one": flows.chain(1),
        "half": flows.diamond(20, 40),
        "whole": flows.diamond(40, 40),
        "dense": flows.diamond(30, 100),
        "sparse": flows.lanes(30, 100),
    }
    used: dict[str, list[Used]] = {name: [] for name in shapes}

    def measure(name: str) -> Callable[[], float]:
        def act() -> float:
            used[name].append(use_start(place, shapes[name]))
            return used[name][-1].cpu_sec

        return act

    taken = interleave(place.rounds(5), {name: measure(name) for name in shapes})
    half, whole = (per_step(taken[n], taken["one"], size) for n, size in DIAMONDS.items())
    return [
        Figure(
            "CPU per step, a diamond of 40 x 40 steps / of 20 x 40",
            ratios(whole, half),
            1.2,
            note=f"{min(whole):.2f} ms against {min(half):.2f} ms",
        ),
        Figure(
            "memory of a runner with 1,600 steps",
            [each.resident_mb for each in used["whole"]],
            60,
            unit=" MB",
            worst=True,
            note="resident at its highest; a run of one step takes"
            f" {min(each.resident_mb for each in used['one']):.0f} MB",
        ),
        Figure(
            "CPU of 30 layers of 100 steps that each wait for 100 others / for one",
            ratios(taken["dense"], taken["sparse"]),
            1.5,
            note=f"{min(taken['dense']):.1f} s against {min(taken['sparse']):.1f} s",
        ),
    ]


def per_step(samples: Sequence[float], alone: Sequence[float], count: int) -> list[float]:
    """Return the milliseconds per step, without those of a run of one step."""
    return [(each - one) / (count - 1) * 1e3 for each, one in zip(samples, alone, strict=True)]


def use_all(place: Workplace, flow: str, last: str) -> list[tuple[str, Used]]:
    """Run a flow, and use each command about its run once."""
    page = str(place.folder / "page.html")
    commands = {
        "start": ["start", "--run-key=run", flow],
        "status": ["status", "run"],
        "report": ["report", "run", f"--output={page}"],
        "graph": ["graph", "--run-key=run"],
        "explain": ["explain", "run"],
        "retry": ["retry", "run", f"--step={last}"],
    }
    with place.home(NEAR_FREE) as environment:
        Path(environment["ORCHESJOB_HOME"]).mkdir()
        return [(name, use(place, words, environment)) for name, words in commands.items()]


def use_start(place: Workplace, flow: str) -> Used:
    """Run a flow and return what its runner used."""
    with place.home(NEAR_FREE) as environment:
        return use(place, ["start", "--run-key=run", place.write(flow)], environment)


def use(
    place: Workplace,
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    on_terminal: bool = False,
) -> Used:
    """Run orchesjob-flow and return what it used."""
    report = place.folder / "usage.json"
    command = [sys.executable, "-P", OWN_USAGE, str(report), *words]
    began = perf_counter()
    if on_terminal:
        run_on_terminal(command, environment)
    else:
        run(command, environment)
    wall_sec = perf_counter() - began
    found = json.loads(report.read_text())
    return Used(wall_sec, found["cpu_sec"], found["resident_mb"])


def run_on_terminal(command: Sequence[str], environment: Mapping[str, str]) -> None:
    """Run a program whose stderr is a terminal that shows all at once; its stdout is discarded."""
    ours, theirs = pty.openpty()
    os.set_inheritable(theirs, True)
    with subprocess.Popen(
        command,
        env={**environment, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"},
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 2**16):
                shown = chunk
        except OSError:  # the other end is closed
            pass
        finally:
            os.close(ours)
    if process.returncode:
        raise RuntimeError(f"{command} ended with {process.returncode}: {shown!r}")
