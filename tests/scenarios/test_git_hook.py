"""The git hook of docs/how-to/new-flow.md checks what is committed, whatever its name."""

import re
from pathlib import Path

import pytest

from support.flow import Flow
from support.repository import Repository

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "new-flow.md"
RIGHT = "flow_id: nightly\nsteps: [{id: a, command: [true]}]\n"
WRONG = "flow_id: nightly\nsteps: []\n"


@pytest.fixture
def repository(flow: Flow) -> Repository:
    """Return a repository with the hook as the document shows it."""
    text = PAGE.read_text(encoding="utf-8")
    (hook,) = re.findall(r"<!-- file: pre-commit -->\n```bash\n(.*?)```", text, re.DOTALL)
    return Repository(flow, hook)


@pytest.mark.parametrize("name", ["größe my flow.yaml", "two\nlines.yaml", "-d $(id) a'b.json"])
def test_odd_names(repository: Repository, name: str) -> None:
    """A right file is accepted and a wrong one refused, however it is called."""
    right = (
        RIGHT
        if name.endswith("yaml")
        else '{"flow_id": "f", "steps": [{"id": "a", "command": ["x"]}]}'
    )
    refused = repository.commit(f"flows/{name}", WRONG)
    assert refused.returncode != 0
    accepted = repository.commit(f"flows/{name}", right)
    assert accepted.returncode == 0, accepted.stderr
    assert "valid: " in accepted.stderr


def test_what_is_staged_counts(repository: Repository) -> None:
    """The commit is judged, not the working tree, in both directions."""
    file = repository.folder / "flows" / "nightly.yaml"
    repository.stage("flows/nightly.yaml", WRONG)
    file.write_text(RIGHT, encoding="utf-8")
    assert repository.git("commit", "--quiet", "--message=Wrong").returncode != 0
    assert repository.git("add", "flows").returncode == 0
    file.write_text(WRONG, encoding="utf-8")
    assert repository.git("commit", "--quiet", "--message=Right").returncode == 0


def test_cases_are_run(repository: Repository) -> None:
    """A flow is refused that its cases forbid; other files in the folder are let alone."""
    case = "{name: a fails, given: {a: failed}, expect: {run: FAILED}}"
    assert repository.commit("flows/hosts.txt", "rome").returncode == 0
    assert repository.commit("flows/nightly.yaml", RIGHT).returncode == 0
    accepted = repository.commit("flows/nightly.test.yaml", f"cases: [{case}]")
    assert accepted.returncode == 0, accepted.stderr
    allowed = RIGHT.replace("[true]", "[true], allow_failure: true")
    refused = repository.commit("flows/nightly.yaml", allowed)
    assert refused.returncode != 0
    assert "run is SUCCEEDED, expected FAILED" in refused.stderr


def test_nothing_to_check(repository: Repository) -> None:
    """Other files, and flow files that are removed, are no matter of the hook."""
    assert repository.commit("notes.txt", "no flow").returncode == 0
    assert repository.commit("flows/nightly.yaml", RIGHT).returncode == 0
    assert repository.git("rm", "--quiet", "flows/nightly.yaml").returncode == 0
    removed = repository.git("commit", "--quiet", "--message=Remove it")
    assert (removed.returncode, removed.stderr) == (0, "")
