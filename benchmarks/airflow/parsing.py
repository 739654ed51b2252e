"""Measure what a flow of 200 steps costs Airflow's DAG processor, beside a DAG written by hand.

usage: python benchmarks/airflow/parsing.py [--quick] [--strict]

The processor reads every DAG file again and again, each time in a new process: it runs the file,
and serialises the DAGs that it finds. Both are timed in new processes, in turns; ratios of the
fastest carry over to other machines, times do not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from random import Random

STEPS = 200
ROUNDS, QUICK_ROUNDS = 7, 3
MOST = 3.0

READ = """
import json, sys, time
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
from airflow.serialization.serialized_objects import DagSerialization
file = Path(sys.argv[1])
began = time.perf_counter()
bag = BundleDagBag(file, bundle_path=file.parent, bundle_name="benchmark", load_op_links=False)
parsed = time.perf_counter()
(dag,) = bag.dags.values()
DagSerialization.to_dict(dag)
print(json.dumps([parsed - began, time.perf_counter() - began]))
"""
"""Prints the seconds until the file is parsed, and until its DAG is serialised too."""


def conditions() -> list[list[int]]:
    """Say for each step which two of the steps before it must have succeeded."""
    random = Random(1)  # noqa: S311 - the same flow each time
    nearest = [range(max(0, number - 20), number) for number in range(STEPS)]
    return [random.sample(before, min(2, len(before))) for before in nearest]


def flow() -> dict[str, object]:
    """Make up a flow: retries, timeouts, variables, a condition for each step but the first."""
    steps: list[dict[str, object]] = []
    for number, before in enumerate(conditions()):
        step: dict[str, object] = {
            "id": f"s{number}",
            "command": ["sh", "-c", f"echo {number}"],
            "retries": 2,
            "retry_delay_sec": 30,
            "timeout_sec": 600,
        }
        if before:
            step["when"] = " && ".join(f"s{other}" for other in before)
        steps.append(step)
    return {"flow_id": "flow", "steps": steps}


def as_yaml(flow: Mapping[str, object]) -> str:
    """Write the flow as people do: a line for each field."""
    lines = [f"flow_id: {flow['flow_id']}", "steps:"]
    steps = flow["steps"]
    assert isinstance(steps, list)  # noqa: S101
    for step in steps:
        for sign, (name, value) in zip("-" + " " * len(step), step.items(), strict=False):
            shown = f"[sh, -c, '{value[2]}']" if name == "command" else value
            lines.append(f"  {sign} {name}: {shown}")
    return "\n".join([*lines, ""])


def by_hand() -> str:
    """Write the same tasks and edges as a DAG file of Airflow's own operators."""
    lines = [
        "from datetime import timedelta",
        "from airflow.sdk import DAG",
        "from airflow.providers.standard.operators.bash import BashOperator",
        "with DAG('by_hand') as dag:",
    ]
    for number, before in enumerate(conditions()):
        lines += [
            f"    s{number} = BashOperator(",
            f"        task_id='s{number}',",
            f"        bash_command='echo {number}',",
            "        retries=2,",
            "        retry_delay=timedelta(seconds=30),",
            "        execution_timeout=timedelta(seconds=600),",
            "    )",
        ]
        if before:
            lines.append(f"    [{', '.join(f's{other}' for other in before)}] >> s{number}")
    return "\n".join([*lines, ""])


def write(folder: Path) -> dict[str, Path]:
    """Write the DAG files and the flow files that two of them read."""
    (folder / "flow.yaml").write_text(as_yaml(flow()), encoding="utf-8")
    (folder / "flow.json").write_text(json.dumps(flow(), indent=2), encoding="utf-8")
    call = "from orchesjob_flow_airflow import flow_dag\ndag = flow_dag({!r})\n"
    texts = {
        "by hand": by_hand(),
        "flow, YAML": call.format("flow.yaml"),
        "flow, JSON": call.format("flow.json"),
    }
    files = {name: folder / f"dag_{number}.py" for number, name in enumerate(texts)}
    for name, file in files.items():
        file.write_text(texts[name], encoding="utf-8")
    return files


def read(file: Path, home: Path) -> tuple[float, float]:
    """Read a DAG file in a new process; return the seconds to parse, and with serialising."""
    finished = subprocess.run(
        [sys.executable, "-c", READ, str(file)],
        env={**os.environ, "AIRFLOW_HOME": str(home), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    parsed, serialised = json.loads(finished.stdout.splitlines()[-1])
    return parsed, serialised


def measure(files: Mapping[str, Path], folder: Path) -> dict[str, tuple[float, float]]:
    """Read every DAG file twice in a new home of Airflow, which keeps what it has read."""
    home = Path(tempfile.mkdtemp(dir=folder))
    first = {f"{name}, first": read(file, home) for name, file in files.items()}
    return {**{name: read(file, home) for name, file in files.items()}, **first}


def main() -> None:
    """Print a table; with `--strict`, fail where a flow costs more than `MOST` times as much."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds only")
    parser.add_argument("--strict", action="store_true", help=f"fail beyond {MOST} times")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as name:
        folder = Path(name)
        files = write(folder)
        rounds = range(QUICK_ROUNDS if options.quick else ROUNDS)
        taken = [measure(files, folder) for _ in rounds]
    best = {name: [min(one[name][i] for one in taken) for i in (0, 1)] for name in taken[0]}
    print(f"{'':20}{'parsed':>12}{'ratio':>8}{'serialised':>14}{'ratio':>8}")
    for name, (parsed, serialised) in best.items():
        ratios = [one / hand for one, hand in zip(best[name], best["by hand"], strict=True)]
        print(
            f"{name:20}{parsed * 1e3:9.0f} ms{ratios[0]:8.2f}"
            f"{serialised * 1e3:11.0f} ms{ratios[1]:8.2f}"
        )
    if options.strict and best["flow, YAML"][0] > MOST * best["by hand"][0]:
        sys.exit("a flow costs the DAG processor more than it may")


if __name__ == "__main__":
    main()
