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
FILES = Path(__file__).with_name("published")
OK, NG, SKIP = "SUCCEEDED", "FAILED", "SKIPPED"


def published(name: str, expected: dict[str, str]) -> str:
    """Return a flow of the description, or a step of it below the others that it names."""
    text = (FILES / f"{name}.yaml").read_text(encoding="utf-8")
    if text.startswith("flow_id: "):
        return text
    others = [
        f"  - {{id: {other}, command: [sh, -c, exit {int(expected[other] != OK)}]}}"
        for other in expected
        if f"id: {other}\n" not in text
    ]
    return "\n".join(["flow_id: f", "steps:", *others, text])


@pytest.mark.parametrize(
    ("name", "failing", "expected"),
    [
        ("daily-import", "", {"download": OK, "validate": OK, "import": OK, "notify_failed": SKIP}),
        (
            "daily-import",
            "validate.py",
            {"download": OK, "validate": NG, "import": SKIP, "notify_failed": OK},
        ),
        ("branching-hello", "", {"A": OK, "B": OK, "E": SKIP, "D": OK}),
        ("from-b-f-and-c", "", {"B": OK, "F": NG, "C": OK, "D": SKIP}),
        ("after-a-cleanup", "", {"cleanup": NG, "C": NG, "F": OK, "D": OK}),
        ("chain", "", {"A": NG, "B": SKIP}),
        ("the-same-chain", "", {"A": NG, "B": SKIP}),
        ("retried", "", {"download": OK, "validate": OK}),
        ("limited", "", {"validate": OK, "import": OK}),
    ],
)
def test_published_flows_run(flow: Flow, name: str, failing: str, expected: dict[str, str]) -> None:
    """Each file runs as it is there, and ends as it is said there."""
    for script in ("download.py", "validate.py", "import.py", "notify.py", "b.py", "finish.py"):
        (flow.folder / script).write_text(f"raise SystemExit({int(script == failing)})")
    shutil.copytree(SCRIPTS, flow.folder / "examples" / "scripts")
    flow.environ["HELLO_FOR_SEC"] = "0"
    (flow.folder / "flow.yaml").write_text(published(name, expected), encoding="utf-8")
    run = flow.start("daily-20260507", "flow.yaml", code=int(NG in expected.values()))
    assert outcomes(run) == expected
    keys = {f"daily-20260507:{step_id}:1" for step_id in expected}
    assert {step["run_key"] for step in run["steps"]} == keys


def test_the_published_cycle_is_refused(flow: Flow) -> None:
    """The file that is refused there is refused here, in the same words."""
    cycle = (FILES / "cycle.yaml").read_text(encoding="utf-8")
    (flow.folder / "flow.yaml").write_text(f"flow_id: f\n{cycle}", encoding="utf-8")
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
