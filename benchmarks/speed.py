"""Measure what the documents claim about speed, and print one table.

usage: python benchmarks/speed.py [--quick] [--strict] [--json | --markdown] [--only NAME]...

Each figure is taken from samples that were interleaved with those of what it is compared with, in
the same run; where the real orchesjob runs, in a new home each time. Ratios carry over from one
machine to another, times do not. All of it takes half an hour on Linux (it reads /proc), and
counts only where nothing else keeps the machine busy.
"""

import argparse
import importlib.metadata
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap

from measuring import (
    anatomy,
    conditions,
    consumption,
    growth,
    history,
    latency,
    reading,
)
from measuring.figures import Figure, digits_of
from measuring.workplace import Workplace, compile_packages, seconds

from orchesjob_flow.views.table import draw_table

MEASUREMENTS: dict[str, Callable[[Workplace], list[Figure]]] = {
    "short-chain": latency.short_chain,
    "one-step": latency.one_step,
    "parallel": latency.parallel,
    "calls": latency.calls,
    "anatomy": anatomy.parts_of_a_step,
    "long-steps": latency.long_steps,
    "succession": latency.succession,
    "status": latency.status,
    "cost": growth.cost_per_step,
    "large-runs": growth.growth_of_commands,
    "layers": growth.layers,
    "idling": consumption.idling,
    "watching": consumption.watching,
    "searching": consumption.searching,
    "pruning": history.pruning,
    "counting": history.counting,
    "overviews": history.overviews,
    "many-edges": history.many_edges,
    "old-jobs": history.old_jobs,
    "cleaning": history.cleaning,
    "linearity": conditions.linearity,
    "depth": conditions.depth,
    "imports": reading.imports,
    "large-file": reading.large_file,
    "copies": reading.copies,
}


def measure(names: Sequence[str], *, quick: bool) -> Iterator[Figure]:
    """Take the named measurements, in the order of the table, each in a clean place."""
    for name, measurement in MEASUREMENTS.items():
        if names and name not in names:
            continue
        print(f"measuring {name} ...", file=sys.stderr)
        folder = Path(tempfile.mkdtemp(prefix="benchmarks-"))
        try:
            yield from measurement(Workplace(folder, quick))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def machine() -> dict[str, object]:
    """Describe what was measured on."""
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "orchesjob": importlib.metadata.version("orchesjob"),
        "ms for `python -c pass`": round(min(bare_start() for _ in range(10)) * 1e3, 1),
        "load average before": " ".join(f"{load:.1f}" for load in os.getloadavg()),
    }


def bare_start() -> float:
    """Time the start of an interpreter, by which times of other machines can be compared."""
    return seconds([sys.executable, "-c", "pass"], os.environ)


def as_table(figures: Sequence[Figure]) -> str:
    """Lay the figures out for eyes, the notes below the table."""
    rows = [
        (
            str(number),
            "\n".join(wrap(figure.name, 60)),
            spell(figure, figure.value),
            spread_of(figure),
            bound_of(figure),
            verdict_of(figure),
        )
        for number, figure in enumerate(figures, start=1)
    ]
    headers = ("", "figure", "measured", "spread", "target", "met")
    notes = (
        "\n".join(wrap(f"{number:3}: {figure.note}", 100, subsequent_indent="     "))
        for number, figure in enumerate(figures, start=1)
        if figure.note
    )
    return "\n".join([*draw_table([headers, *rows]), "", *notes])


def as_markdown(figures: Sequence[Figure]) -> str:
    """Lay the figures out as rows of the table in the documents."""
    rows = [
        (
            figure.name.replace("|", "\\|"),
            spell(figure, figure.value),
            spread_of(figure),
            bound_of(figure),
            verdict_of(figure),
            figure.note.replace("|", "\\|"),
        )
        for figure in figures
    ]
    headers = ("Figure", "Measured", "Spread", "Target", "Met", "Beside it")
    rule = ["---"] * len(headers)
    return "\n".join(f"| {' | '.join(row)} |" for row in (headers, rule, *rows))


def spread_of(figure: Figure) -> str:
    """Spell the range of the samples, if there are several."""
    several = len(figure.samples) > 1
    return " .. ".join(spell(figure, value) for value in figure.spread) if several else ""


def bound_of(figure: Figure) -> str:
    """Spell the target, if there is one."""
    return "" if figure.at_most is None else f"{figure.at_most:g}{figure.unit}"


def verdict_of(figure: Figure) -> str:
    """Say whether the target is met, if there is one."""
    return "" if figure.at_most is None else "yes" if figure.is_met else "no"


def spell(figure: Figure, value: float) -> str:
    """Spell a value with the digits that mean something."""
    return f"{value:.{digits_of(value)}f}{figure.unit}"


def as_json(figures: Sequence[Figure], measured_on: Mapping[str, object]) -> str:
    """Lay the figures out for scripts."""
    documents = [
        {
            "figure": figure.name,
            "measured": figure.value,
            "spread": figure.spread,
            "samples": figure.samples,
            "at_most": figure.at_most,
            "unit": figure.unit.strip(),
            "met": figure.is_met,
            "note": figure.note,
        }
        for figure in figures
    ]
    return json.dumps({"machine": measured_on, "figures": documents}, indent=2)


def main() -> int:
    """Measure and print; fail where a figure is missed and `--strict` asks for that."""
    parser = argparse.ArgumentParser(description="Measure what the documents claim about speed.")
    parser.add_argument("--quick", action="store_true", help="take a third of the samples")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a figure is missed")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, with every sample")
    form.add_argument("--markdown", action="store_true", help="print the table of the documents")
    parser.add_argument(
        "--only",
        metavar="NAME",
        action="append",
        choices=MEASUREMENTS,
        help=", ".join(MEASUREMENTS),
    )
    options = parser.parse_args()
    compile_packages()
    measured_on = machine()
    figures = list(measure(options.only or (), quick=options.quick))
    if options.json:
        print(as_json(figures, measured_on))
    elif options.markdown:
        print(as_markdown(figures))
    else:
        print(", ".join(f"{name}: {value}" for name, value in measured_on.items()), end="\n\n")
        print(as_table(figures))
    return int(options.strict and not all(figure.is_met for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
