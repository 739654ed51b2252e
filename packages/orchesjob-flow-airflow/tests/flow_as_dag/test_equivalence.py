"""A flow has the same outcome under the local runner and under Airflow, step by step.

The generated flows come from the model of the simulation, which also predicts their outcomes. Those
with steps in `finally` are left out: they are refused here. The model and the examples are in the
checkout only, so the sdist leaves this module out.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from flow_spec import FlowSpec, StepSpec, load_flow

if TYPE_CHECKING:
    from conftest import Airflow

PACKAGES = Path(__file__).parents[3]
EXAMPLES = PACKAGES.parent / "examples"
FLOWS = 60
STATUSES = {"success": "SUCCEEDED", "failed": "FAILED", "skipped": "SKIPPED"}
YES, NO = "only_if: yes", "only_if: no"
ENDINGS = {
    "ok": "exit 0",
    "ok 7": "exit 7",
    "skip 5": "exit 5",
    "exit": "exit 3",
    YES: "exit 0",
    NO: "exit 1",
    "only_if: exit": "exit 3",
}

type Outcome = tuple[str, dict[str, str]]


def load_model() -> ModuleType:
    """Import the model of the simulation, which belongs to the tests of another package."""
    path = PACKAGES / "orchesjob-flow" / "tests" / "simulation" / "model.py"
    spec = importlib.util.spec_from_file_location("model_of_the_simulation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def generated() -> list[int]:
    """Choose the first seeds whose flows need no foreign job under a step's key."""
    generate = load_model().generate
    seeds: list[int] = []
    seed = 0
    while len(seeds) < FLOWS:
        seed += 1
        case = generate(seed, most_in_finally=0, foreach=False)
        if not any("foreign" in fate for fates in case.fates.values() for fate in fates):
            seeds.append(seed)
    return seeds


@pytest.fixture
def locally(tmp_path: Path) -> Callable[[str, Path], "subprocess.Popen[str]"]:
    """Start a flow file of a folder, in that folder, under the local runner."""

    def start(name: str, folder: Path) -> "subprocess.Popen[str]":
        program = str(Path(sys.executable).parent / "orchesjob-flow")
        return subprocess.Popen(
            [program, "start", "--run-key=k", name],
            cwd=folder,
            env={**os.environ, "ORCHESJOB_FLOW_HOME": str(tmp_path / "flow")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    return start


def outcome(runner: "subprocess.Popen[str]") -> tuple[Outcome, dict[str, int]]:
    """Await the end of a local run; return its outcome, and how many attempts its steps took."""
    run: dict[str, Any] = json.loads(runner.communicate(timeout=60)[0])
    statuses = {step["id"]: step["status"] for step in run["steps"]}
    return (run["status"], statuses), {step["id"]: step["attempt_no"] for step in run["steps"]}


def as_outcome(state: str, states: dict[str, str]) -> Outcome:
    statuses = {task_id.replace(".", "@"): STATUSES[state] for task_id, state in states.items()}
    return STATUSES[state], statuses


def playable(step: StepSpec, fates: Sequence[str]) -> StepSpec:
    """Give a step a command, and a gate, whose attempts have these fates in turn, at once."""
    endings = [ENDINGS.get(fate, "kill -KILL $$") for fate in fates]
    cases = " ".join(f"{number}) {ending};;" for number, ending in enumerate(endings, 1))
    script = f"case $ORCHESJOB_FLOW_ATTEMPT in {cases} esac; exit 99"
    return attrs.evolve(
        step,
        command=("sh", "-c", script),
        only_if=("sh", "-c", f"{script} # may run") if step.only_if else (),
        retry_delay_sec=0.0,
        retry_backoff=1.0,
        timeout_sec=None,
    )


@pytest.mark.parametrize("seed", generated())
def test_generated(
    airflow: "Airflow", locally: Callable[[str, Path], "subprocess.Popen[str]"], seed: int
) -> None:
    """Generated conditions, exit codes and retries have the same outcome, step by step."""
    case = load_model().generate(seed, most_in_finally=0, foreach=False)
    fates = {
        step: [fate for fate in all_ if "dead" not in fate] for step, all_ in case.fates.items()
    }
    steps = tuple(playable(step, fates[step.id]) for step in case.steps)
    flow = FlowSpec(f"seed-{seed}", steps, max_parallel=case.max_parallel)
    airflow.write(flow.to_json(), "flow.json")
    runner = locally("flow.json", airflow.folder)
    there = as_outcome(*airflow.run(airflow.load("'flow.json'")))
    here, attempts = outcome(runner)
    assert there == here == (case.run_status, case.statuses)
    expected = {step: len(fates[step]) for step in case.statuses if case.attempts[step]}
    assert {step: number for step, number in attempts.items() if number} == expected
    tries = {step: number - fates[step].count(YES) for step, number in expected.items()}
    assert {step: airflow.tries[step] for step in tries} == tries


def examples() -> list[str]:
    """Name the examples that can be a DAG with a task for each step."""
    paths = sorted(EXAMPLES.glob("*.yaml"))
    flows = {path.name: load_flow(path, read_list=lambda *_: ["one"]) for path in paths}
    return [name for name, flow in flows.items() if can_be_a_dag(flow)]


def can_be_a_dag(flow: FlowSpec) -> bool:
    """Whether `flow_dag` accepts the flow, which needs no values to run."""
    needs_values = any(param.default is None for param in flow.params)
    return not (flow.finally_ or needs_values)


@pytest.mark.parametrize("name", examples())
def test_examples(
    airflow: "Airflow",
    locally: Callable[[str, Path], "subprocess.Popen[str]"],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
) -> None:
    """Each example that is shipped has the same outcome (rule 8.1).

    Both run at once, each in a folder of its own: an example writes files and removes them.
    """
    monkeypatch.setenv("HELLO_FOR_SEC", "0")
    here, path = tmp_path / "here", f"examples/{name}"
    for folder in (here, airflow.folder):
        shutil.copytree(EXAMPLES, folder / "examples")
    runner = locally(path, here)
    there = airflow.run(airflow.load(f"{path!r}, run_dirs='.'"))
    assert as_outcome(*there) == outcome(runner)[0]
