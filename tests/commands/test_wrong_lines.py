"""Wrong command lines, as people type them, and what they are told (rule 6.12).

Many know other tools: gh, docker, systemctl, make, just, dagu, Airflow, Ansible, Argo, kubectl.
"""

import json
import shlex
from pathlib import Path

import pytest

from support.flow import Flow

NIGHTLY = """\
flow_id: nightly
params:
  DAY: monday
  SHOP: {enum: [berlin, paris], default: berlin}
steps:
  - id: load
    command: [sh, -c, "echo row 17 is broken; exit 3"]
  - id: check
    when: load
    command: [echo, fine]
"""
WEEKLY = "flow_id: weekly\nsteps:\n  - id: copy\n    command: [echo, done]\n"
ENTRIES = Path(__file__).with_name("wrong_lines.txt").read_text("utf-8").strip().split("\n\n")
LINES = [entry.split("\n") for entry in ENTRIES]
"""What is typed after `$`, the error, and the help after `=`, if there is one.

`{db}` and `{folder}` are paths of the test.
"""


@pytest.fixture(scope="module")
def some(shared_flow: Flow) -> Flow:
    """Two flow files, a run that FAILED, one that SUCCEEDED, and one that has no runner."""
    (shared_flow.folder / "nightly.yaml").write_text(NIGHTLY)
    (shared_flow.folder / "weekly.yaml").write_text(WEEKLY)
    (shared_flow.folder / "changed.yaml").write_text(NIGHTLY.replace("fine", "good"))
    (shared_flow.folder / "flow.json").unlink(missing_ok=True)
    shared_flow.start("nightly-1", "nightly.yaml", code=1)
    shared_flow.start("weekly-1", "weekly.yaml")
    shared_flow.start("open-1", "weekly.yaml")
    running = "UPDATE runs SET status = 'RUNNING', finished_at = NULL WHERE run_key = 'open-1'"
    shared_flow.change(running)
    return shared_flow


def recorded(flow: Flow) -> list[str]:
    with flow.open_database() as database:
        return list(database.iterdump())


@pytest.mark.parametrize("entry", LINES, ids=[line for line, *_ in LINES])
def test_wrong_lines(some: Flow, entry: list[str]) -> None:
    """What is wrong, and what to type instead: nothing is started, and nothing changed."""
    before = recorded(some)
    line, *expected = entry
    refused = some.refusal(*shlex.split(line.removeprefix("$ ")))
    said = [refused["error"], *(f"= {one}" for one in [refused.get("help")] if one)]
    places = {str(some.database): "{db}", str(some.folder): "{folder}"}
    for path, name in places.items():
        said = [text.replace(path, name) for text in said]
    assert said == expected, json.dumps(refused)
    assert recorded(some) == before


def test_a_hundred_lines() -> None:
    """No line is there twice, and there are more than a hundred."""
    assert len({line for line, *_ in LINES}) == len(LINES) > 100
