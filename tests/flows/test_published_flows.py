"""The flow files in the published description of orchesjob-flow 0.1.0.dev0, which this implements.

They are written as they are there; what is a single step there stands in a flow with those that it
names. The README says where the product comes from.
"""

import shutil
from pathlib import Path

import click
import pytest

from orchesjob_flow.cli.sections import cli
from support.answers import outcomes
from support.flow import Flow

SCRIPTS = Path(__file__).parents[2] / "examples" / "scripts"
OK, NG, SKIP = "SUCCEEDED", "FAILED", "SKIPPED"

DAILY_IMPORT = """\
flow_id: daily-import
steps:
  - id: download
    command: ["python", "download.py"]
  - id: validate
    when: download
    command: ["python", "validate.py"]
  - id: import
    when: validate
    command: ["python", "import.py"]
  - id: notify_failed
    when: !download || !validate || !import
    command: ["python", "notify.py"]
"""
BRANCHING_HELLO = """\
flow_id: branching-hello
steps:
  - id: A
    command: ["python", "examples/scripts/hello_step.py", "--flow-name", "branching-hello", "--step-id", "A"]
  - id: B
    when: A
    command: ["python", "examples/scripts/hello_step.py", "--flow-name", "branching-hello", "--step-id", "B"]
  - id: E
    when: !A
    command: ["python", "examples/scripts/hello_step.py", "--flow-name", "branching-hello", "--step-id", "E"]
  - id: D
    when: B || E
    command: ["python", "examples/scripts/hello_step.py", "--flow-name", "branching-hello", "--step-id", "D"]
"""  # noqa: E501
FROM_B_F_AND_C = """\
  - id: D
    when: (B && F) || !C
    command: ["python", "finish.py"]
"""
AFTER_A_CLEANUP = """\
  - id: D
    depends_on: ["cleanup"]
    when: C || F
    command: ["python", "finish.py"]
"""
CHAIN = """\
  - id: B
    depends_on: ["A"]
    command: ["python", "b.py"]
"""
THE_SAME_CHAIN = """\
  - id: B
    when: A
    command: ["python", "b.py"]
"""
RETRIED = """\
  - id: validate
    when: download
    retries: 2
    retry_delay_sec: 30
    command: ["python", "validate.py"]
"""
LIMITED = """\
  - id: import
    when: validate
    timeout_sec: 3600
    command: ["python", "import.py"]
"""
CYCLE = """\
steps:
  - id: A
    when: C
    command: ["..."]
  - id: B
    when: A
    command: ["..."]
  - id: C
    when: B
    command: ["..."]
"""


def around(step: str, **exit_codes: int) -> str:
    """Return a flow of steps that end with these codes, and of one of the description."""
    others = (
        f"  - {{id: {name}, command: [sh, -c, exit {exit_codes[name]}]}}" for name in exit_codes
    )
    return "\n".join(["flow_id: f", "steps:", *others, step])


@pytest.mark.parametrize(
    ("text", "failing", "expected"),
    [
        (DAILY_IMPORT, [], {"download": OK, "validate": OK, "import": OK, "notify_failed": SKIP}),
        (
            DAILY_IMPORT,
            ["validate.py"],
            {"download": OK, "validate": NG, "import": SKIP, "notify_failed": OK},
        ),
        (BRANCHING_HELLO, [], {"A": OK, "B": OK, "E": SKIP, "D": OK}),
        (around(FROM_B_F_AND_C, B=0, F=1, C=0), [], {"B": OK, "F": NG, "C": OK, "D": SKIP}),
        (
            around(AFTER_A_CLEANUP, cleanup=1, C=1, F=0),
            [],
            {"cleanup": NG, "C": NG, "F": OK, "D": OK},
        ),
        (around(CHAIN, A=1), [], {"A": NG, "B": SKIP}),
        (around(THE_SAME_CHAIN, A=1), [], {"A": NG, "B": SKIP}),
        (around(RETRIED, download=0), [], {"download": OK, "validate": OK}),
        (around(LIMITED, validate=0), [], {"validate": OK, "import": OK}),
    ],
)
def test_published_flows_run(
    flow: Flow, text: str, failing: list[str], expected: dict[str, str]
) -> None:
    """Each file runs as it is there, and ends as it is said there."""
    for name in ("download.py", "validate.py", "import.py", "notify.py", "b.py", "finish.py"):
        code = int(name in failing)
        (flow.folder / name).write_text(f"raise SystemExit({code})", encoding="utf-8")
    shutil.copytree(SCRIPTS, flow.folder / "examples" / "scripts")
    flow.environ["HELLO_FOR_SEC"] = "0"
    (flow.folder / "flow.yaml").write_text(text, encoding="utf-8")
    code = int(NG in expected.values())
    run = flow.start("daily-20260507", "flow.yaml", code=code)
    assert outcomes(run) == expected
    assert {step["run_key"] for step in run["steps"]} == {
        f"daily-20260507:{step_id}:1" for step_id in expected
    }


def test_the_published_cycle_is_refused(flow: Flow) -> None:
    """The file that is refused there is refused here, in the same words."""
    (flow.folder / "flow.yaml").write_text(f"flow_id: f\n{CYCLE}", encoding="utf-8")
    error = flow.refusal("start", "--run-key=k", "flow.yaml")["error"]
    assert "dependency cycle detected: A -> C -> B -> A" in error


@pytest.mark.parametrize(
    "line",
    [
        "status --run-key demo",
        "--orchesjob-bin /usr/local/bin/orchesjob status --run-key demo",
        "--db /tmp/db --poll-interval 5.0 status --run-key demo",
        "example",
        "start --run-key demo-001 flow.yaml",
        "start --run-key demo-001 -d flow.yaml",
        "start --run-key demo-001 --detach flow.yaml",
        "watch --run-key demo-001",
        "watch --run-key demo-001 --mode append --interval 5",
        "watch --run-key demo-001 --mode screen --advance",
        "status --run-key demo-001 --format json",
        "status --run-key demo-001 --format table",
        "cancel --run-key demo-001 --grace-seconds 10",
        "tick --run-key demo-001",
    ],
)
def test_published_command_lines_are_valid(line: str) -> None:
    """Each command takes the options that it has there."""
    context = click.Context(cli, info_name="orchesjob-flow")
    _, (name, *words), _ = cli.make_parser(context).parse_args(line.split())
    command = cli.get_command(context, name)
    assert command is not None
    command.make_context(name, words, parent=context)
