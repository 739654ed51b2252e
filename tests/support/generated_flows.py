"""Flows of the simulation's model as files whose commands meet the fates that the model gave them.

What a flow must come to is worked out by the model, without anything of the product. A folder with
these files is played wherever flows run, and every command writes into a log that it has begun.
"""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import attrs

from flow_spec import Block, StepSpec

MODEL = Path(__file__).parents[2] / "packages/orchesjob-flow/tests/simulation/model.py"
FLOWS = int(os.environ.get("GENERATED_FLOWS", "30"))
MOST_STEPS = 4
"""In a part of a flow: a task costs Airflow so much that more of them would mean fewer flows."""
WAIT_SEC = 120.0
STEP_LOGS = "STEP_LOGS"
"""The variable that names the folder of the logs."""

ENDINGS = {
    "ok": "write; exit 0",
    "ok 7": "write; exit 7",
    "skip 5": "exit 5",
    "exit": "exit 3",
    "unwritten": "exit 0",
    "yes": "exit 0",
    "no": "exit 1",
    "timeout": "exec sleep 600",
    "lost": "kill -KILL $PPID $$",
    "lost alive": "kill -KILL $PPID; sleep 1; exit 0",
    "aborted": "abort",
}
KILLED = "kill -KILL $$"
"""How the other fates are played: they all cost a retry, and have no exit code."""
LIMIT_SEC = 4
"""The time limit of a step that meets a timeout; all else that such a step does is quicker."""

PLAY = """\
# Keeps a log, and ends as the file $1 says of this attempt at what $3 names. Before, parameter,
# words, env_file and the value of a copy must be those of this flow, and $4 the run's directory.
# A command that succeeds writes $5, if its step produces something.
[ "$2 $FROM_FILE" = "$CASE $CASE" ] || exit 98
case $ORCHESJOB_FLOW_STEP in *@*) [ "${ORCHESJOB_FLOW_STEP#*@}" = "$VALUE" ] || exit 97 ;; esac
touch "$4/is-there" || exit 96
abort() { # as somebody else does it; the parent is orchesjob's worker, which knows its job
  job=$(tr '\\0' '\\n' < /proc/$PPID/cmdline | tail -n 1)
  "$ORCHESJOB_BIN" abort --grace-seconds=1 --job-id="$job" &
  exec sleep 600
}
product=$5
write() { [ -z "$product" ] || echo "$attempt" > "$product"; }
attempt="$ORCHESJOB_FLOW_STEP $ORCHESJOB_FLOW_ATTEMPT $3"
echo "$attempt" >> "$STEP_LOGS/$CASE $ORCHESJOB_FLOW_RUN_KEY"
while read -r step number what ending; do
  [ "$step $number $what" != "$attempt" ] || eval "$ending"
done < "$1"
exit 99
"""
FIELDS = (
    *("retries", "allow_failure", "success_exit_codes", "skip_exit_codes", "retry_exit_codes"),
    *("when", "depends_on", "strict"),
)
"""The fields of a step that are those of the model; its delays and timeouts are not."""

type Outcome = tuple[str, Mapping[str, str]]
"""The status of a run, and that of each of its steps."""


@attrs.frozen
class GeneratedFlow:
    """A flow file, and what must come of it.

    Attributes:
        seed: What it was made up of; the value of the parameter CASE, without which no step runs.
        document: The flow file.
        fates: What `PLAY` reads: step, attempt, `asked` or `run`, ending.
        values: The values of its `foreach`, one a line.
        outcome: How it ends.
        attempts: The lines of its log, sorted: each attempt begins once.
    """

    seed: int
    document: Mapping[str, Any]
    fates: str
    values: str
    outcome: Outcome
    attempts: list[str]

    @property
    def flow_id(self) -> str:
        """The id of the flow."""
        return f"seed-{self.seed}"

    @property
    def name(self) -> str:
        """The name of its file."""
        return f"{self.flow_id}.json"

    @property
    def waits(self) -> bool:
        """Whether its runs wait for each other."""
        return "concurrency" in self.document

    @property
    def given(self) -> Mapping[str, str]:
        """The values that its runs need."""
        return {"CASE": str(self.seed)}

    def write(self, folder: Path) -> None:
        """Write the flow file, and what its commands need, into the folder where it is started."""
        (folder / self.name).write_text(json.dumps(self.document), encoding="utf-8")
        (folder / f"fates-{self.seed}").write_text(self.fates, encoding="utf-8")
        (folder / f"values-{self.seed}").write_text(self.values, encoding="utf-8")
        (folder / "play.sh").write_text(PLAY, encoding="utf-8")
        (folder / f"{self.seed}.env").write_text(f"FROM_FILE={self.seed}\n", encoding="utf-8")

    def step_log(self, folder: Path, run_key: str) -> list[str]:
        """Return which attempts have begun in a run, sorted."""
        path = folder / f"{self.seed} {run_key}"
        return sorted(path.read_text(encoding="utf-8").splitlines()) if path.exists() else []


def start_locally(
    name: str, folder: Path, home: Path, run_key: str, *options: str
) -> "subprocess.Popen[str]":
    """Start a flow file of a folder, in that folder, with homes and logs below `home`."""
    program = str(Path(sys.executable).parent / "orchesjob-flow")
    (home / "step-logs").mkdir(parents=True, exist_ok=True)
    return subprocess.Popen(
        [program, "start", f"--run-key={run_key}", *options, name],
        cwd=folder,
        env={
            **os.environ,
            STEP_LOGS: str(home / "step-logs"),
            "ORCHESJOB_FLOW_HOME": str(home / "flow"),
            "ORCHESJOB_HOME": str(home / "jobs"),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def outcome_of(runner: "subprocess.Popen[str]") -> Outcome:
    """Await the end of a local run, and return its outcome."""
    run: dict[str, Any] = json.loads(runner.communicate(timeout=WAIT_SEC)[0])
    return run["status"], {step["id"]: step["status"] for step in run["steps"]}


@attrs.frozen
class LocalRun:
    """A run of a generated flow under the local runner."""

    _flow: GeneratedFlow
    _home: Path
    _runner: "subprocess.Popen[str]"

    @classmethod
    def start(cls, flow: GeneratedFlow, folder: Path, home: Path) -> "LocalRun":
        """Start a flow whose files are in a folder, with homes and logs below `home`."""
        given = [f"--param={name}={value}" for name, value in flow.given.items()]
        return cls(flow, home, start_locally(flow.name, folder, home, flow.flow_id, *given))

    def check(self) -> None:
        """Await its end, which must be that of the model, with each attempt made once."""
        assert outcome_of(self._runner) == self._flow.outcome
        made = self._flow.step_log(self._home / "step-logs", self._flow.flow_id)
        assert made == self._flow.attempts


def load_model() -> ModuleType:
    """Import the model of the simulation, which belongs to the tests of another package."""
    spec = importlib.util.spec_from_file_location("model_of_the_simulation", MODEL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def generated_flows(count: int) -> list[GeneratedFlow]:
    """Make up the first flows whose fates commands can meet.

    Those that need a foreign job under the key of a step are left out.
    """
    generate = load_model().generate
    flows: list[GeneratedFlow] = []
    seed = 0
    while len(flows) < count:
        seed += 1
        case = generate(seed, MOST_STEPS)
        if not any(what_of(fate)[1] == "foreign" for all_ in case.fates.values() for fate in all_):
            flows.append(_flow(seed, case))
    return flows


def what_of(fate: str) -> tuple[str, str]:
    """Tell what meets a fate, the gate that is `asked` or the command that is `run`, and which."""
    gate = "only_if: "
    return ("asked" if fate.startswith(gate) else "run"), fate.removeprefix(gate)


def _flow(seed: int, case: Any) -> GeneratedFlow:
    attempts = {step: _attempts(fates) for step, fates in case.fates.items()}
    document: dict[str, Any] = {
        "flow_id": f"seed-{seed}",
        "params": {"CASE": {}},
        "env_file": f"{seed}.env",
        "steps": [_played(step) for step in case.steps if "@" not in step.id],
    }
    for block in case.blocks:
        document["steps"].insert(block.before, _repeated(seed, block))
    if case.finally_:
        document["finally"] = [_played(step) for step in case.finally_]
    if case.max_parallel:
        document["max_parallel"] = case.max_parallel
    if seed % 3 == 0:
        document["concurrency"] = {}
    return GeneratedFlow(
        seed=seed,
        document=document,
        fates="".join(
            f"{step} {attempt} {ending}\n"
            for step, all_ in attempts.items()
            for attempt, ending in all_.items()
        ),
        values="".join(f"{copy.label}\n" for block in case.blocks for copy in block.copies),
        outcome=(case.run_status, case.statuses),
        attempts=sorted(
            f"{step} {attempt}"
            for step, all_ in attempts.items()
            if case.attempts[step]
            for attempt in all_
        ),
    )


def _attempts(fates: Sequence[str]) -> Mapping[str, str]:
    """Return the attempts at a step, by number and what is attempted, and how each ends.

    The start of one that is "dead" has died: nothing that commands do comes to that.
    """
    met = [what_of(fate) for fate in fates if what_of(fate)[1] != "dead"]
    return {
        f"{number} {what}": ENDINGS.get(fate, KILLED) for number, (what, fate) in enumerate(met, 1)
    }


def _repeated(seed: int, block: Block) -> dict[str, Any]:
    """Write a `foreach` down, whose values are in a file: a list could not be empty."""
    allowed = {} if block.copies else {"allow_empty": True}
    return {
        "foreach": {"VALUE": {"lines": f"values-{seed}", **allowed}},
        "steps": [_played(step, "-${{ VALUE }}") for step in block.steps],
        **({"max_parallel": block.max_parallel} if block.max_parallel else {}),
    }


def _played(step: StepSpec, copy: str = "") -> dict[str, Any]:
    """Write a step down, with commands that meet its fates; `copy` tells its copies apart."""
    words = ["sh", "play.sh", "${{ FLOW_DIR }}/fates-${{ CASE }}", "${{ CASE }}"]
    produces = [f"${{{{ RUN_DIR }}}}/{step.id}{copy}"] if step.produces else []
    return {
        "id": step.id,
        "command": [*words, "run", "${{ RUN_DIR }}", *produces],
        **({"produces": produces} if produces else {}),
        **({"only_if": [*words, "asked", "${{ RUN_DIR }}"]} if step.only_if else {}),
        "x-airflow": {"priority_weight": 3},
        **({"timeout_sec": LIMIT_SEC} if step.timeout_sec == load_model().LIMIT_SEC else {}),
        **attrs.asdict(step, filter=lambda field, value: field.name in FIELDS and value),
    }
