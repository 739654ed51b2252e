"""What reading costs: an import, and a large flow file."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from statistics import median

import yaml

from flow_spec import load_flow
from measuring import flows
from measuring.figures import Figure, interleave, ratios, timed
from measuring.workplace import Workplace, run, seconds

STEPS = 2000
COPIES = 5000


def imports(place: Workplace) -> list[Figure]:
    """Compare `import flow_conditions` with `import re, dataclasses`, in fresh interpreters."""
    script = "from time import process_time as t; b = t(); import {}; print(t() - b)"
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
            "ours": import_of("flow_conditions"),
            "theirs": import_of("re, dataclasses"),
            "our process": process_of("flow_conditions"),
            "their process": process_of("re, dataclasses"),
        },
    )
    whole = median(ratios(taken["our process"], taken["their process"]))
    return [
        Figure(
            "`import flow_conditions` / `import re, dataclasses`",
            ratios(taken["ours"], taken["theirs"]),
            1.3,
            note=f"the imports alone: {median(taken['ours']) * 1e3:.1f} ms against"
            f" {median(taken['theirs']) * 1e3:.1f} ms; whole processes {whole:.2f}",
        )
    ]


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
            "s",
            note=f"{COPIES - 1:,} copies of two steps, and one step that waits for all of them",
        )
    ]
