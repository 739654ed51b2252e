"""What reading costs: imports, and a large flow file."""

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import yaml

from flow_spec import load_flow
from measuring import flows
from measuring.figures import Figure, interleave, ratios, timed
from measuring.workplace import PACKAGES, Workplace, run, seconds

STEPS = 2000
COPIES = 5000
LISTED = 10
"""How many packages a note lists."""


def imports(place: Workplace) -> list[Figure]:
    """Measure the import of flow-conditions, and all imports of a `start` of one step."""
    return [import_of_conditions(place), imports_of_start(place)]


def imports_of_start(place: Workplace) -> Figure:
    """List what takes longest of the imports of a run of one step, by `python -X importtime`.

    A module's own time is the shortest of all rounds, and a package's the sum of its modules'.
    """
    times: dict[str, list[float]] = {}
    for _ in range(place.rounds(30)):
        for module, took in import_times(place):
            times.setdefault(module, []).append(took)
    of_package: dict[str, float] = {}
    for module, each in times.items():
        name = module.partition(".")[0]
        of_package[name] = of_package.get(name, 0.0) + min(each)
    modules = Counter(module.partition(".")[0] for module in times)
    whole = sum(of_package.values())
    largest = sorted(of_package, key=lambda name: -of_package[name])[:LISTED]
    listed = (f"{name} {of_package[name] * 1e3:.1f} ms ({modules[name]})" for name in largest)
    return Figure(
        "of the imports of a run of one step, the part that is our packages",
        [sum(of_package[name] for name in PACKAGES) / whole],
        0.6,
        note=f"{whole * 1e3:.0f} ms for {len(times)} modules; {', '.join(listed)}",
    )


def import_times(place: Workplace) -> Iterator[tuple[str, float]]:
    """Run one step; yield each module that is imported, and its own time in seconds."""
    flow = place.write(flows.chain(1))
    words = [sys.executable, "-X", "importtime", place.flow, "start", "k", flow]
    with place.home() as environment:
        done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    for line in done.stderr.splitlines():
        found = re.fullmatch(r"import time: +(\d+) \| +\d+ \| +(\S+)", line)
        if found is not None:
            yield found[2], int(found[1]) / 1e6


def import_of_conditions(place: Workplace) -> Figure:
    """Compare importing flow-conditions for a first condition with `import re, dataclasses`.

    Each is measured in a fresh interpreter. The package imports its parser when it is first used.
    """
    script = "from time import process_time as t; b = t(); import {}; print(t() - b)"
    used = "flow_conditions; flow_conditions.parse"
    environment = dict(os.environ)

    def import_of(names: str) -> Callable[[], float]:
        command = [sys.executable, "-c", script.format(names)]
        return lambda: float(run(command, environment))

    def process_of(names: str) -> Callable[[], float]:
        command = [sys.executable, "-c", f"import {names}"]
        return lambda: seconds(command, environment)

    taken = interleave(
        place.rounds(60),
        {
            "ours": import_of(used),
            "theirs": import_of("re, dataclasses"),
            "our process": process_of(used),
            "their process": process_of("re, dataclasses"),
        },
    )
    whole = median(ratios(taken["our process"], taken["their process"]))
    return Figure(
        "`from flow_conditions import parse` / `import re, dataclasses`",
        ratios(taken["ours"], taken["theirs"]),
        1.3,
        note=f"the imports alone: {median(taken['ours']) * 1e3:.1f} ms against"
        f" {median(taken['theirs']) * 1e3:.1f} ms; whole processes {whole:.2f}",
    )


def large_file(place: Workplace) -> list[Figure]:
    """Compare the load of a 2,000-step YAML flow with PyYAML's own compose of the same file."""
    steps = [
        flows.step(
            f"step-{number}",
            f'[python3, load.py, --part, "{number}"]',
            [f"step-{before}" for before in range(max(0, number - 2), number)],
        )
        + "    retries: 2\n    timeout_sec: 60\n    description: Load one part.\n"
        for number in range(STEPS)
    ]
    path = Path(place.write(flows.document(steps)))

    def compose(loader: type) -> Callable[[], object]:
        return lambda: yaml.compose(path.read_text(encoding="utf-8"), loader)

    taken = interleave(
        place.rounds(6),
        {
            "ours": timed(lambda: load_flow(path)),
            "python": timed(compose(yaml.SafeLoader)),
            "libyaml": timed(compose(yaml.CSafeLoader)),
        },
    )
    with_c = median(ratios(taken["ours"], taken["libyaml"]))
    return [
        Figure(
            f"load of a {STEPS}-step YAML flow / PyYAML's own compose",
            ratios(taken["ours"], taken["python"]),
            1.3,
            note=f"{median(taken['ours']):.2f} s against {median(taken['python']):.2f} s in Python"
            f" and {median(taken['libyaml']):.2f} s in C (libyaml; {with_c:.1f}). libyaml's scanner"
            " takes the `!` of `when: !A && B` for a tag and then refuses the `&&`; it cannot be"
            " told otherwise",
        )
    ]


def copies(place: Workplace) -> list[Figure]:
    """Load a `foreach` with 10,000 expanded steps, of which half wait for the other half."""
    values = ", ".join(f"v{number}" for number in range(COPIES - 1))
    path = Path(
        place.write(
            "flow_id: benchmark\n"
            "steps:\n"
            "  - {id: first, command: [prepare]}\n"
            f"  - foreach: {{VALUE: [{values}]}}\n"
            "    steps:\n"
            "      - {id: load, when: first, command: [load, '${{ VALUE }}']}\n"
            "      - {id: check, when: load && !first.failed, command: [check, '${{ VALUE }}']}\n"
            "  - {id: last, when: check, command: [tell]}\n"
        )
    )
    expanded = len(load_flow(path).steps)
    taken = interleave(place.rounds(6), {"ours": timed(lambda: load_flow(path))})
    return [
        Figure(
            f"load of a flow with {expanded:,} steps after `foreach`",
            taken["ours"],
            2.0,
            " s",
            note=f"{COPIES - 1:,} copies of two steps, and one step that waits for all of them",
        )
    ]
