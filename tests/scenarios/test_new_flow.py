"""A new flow is written in an editor and checked by a hook, before it is ever started (9.1, 9.2).

The editor's part is what its language server does with the schema: complete names, show what they
mean, underline what is wrong. The hooks are those of docs/how-to/new-flow.md.
"""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from support.deadlines import CALL_SEC
from support.flow import Flow

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "new-flow.md"
HOOK = """#!/bin/sh
exec {entry} $(git diff --cached --name-only --diff-filter=d)
"""
DRAFT = """\
# yaml-language-server: $schema=../flow.schema.json
flow_id: nightly
steps:
  - id: fetch
    command: [echo, fetched]
    retrys: 3
  - id: load
    when: fetsch
    command: [echo, loaded]
"""
RIGHT = "flow_id: nightly\nsteps: [{id: a, command: [true]}]\n"
WRONG = "flow_id: nightly\nsteps: []\n"


class Repository:
    """A git repository on its author's machine, and a pre-commit hook that is in force."""

    def __init__(self, flow: Flow, hook: str) -> None:
        self.folder = flow.folder / "shop"
        self.environ = {
            **flow.environ,
            "PATH": f"{Path(flow.program).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Me"),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "me@example.com"),
        }
        self.folder.mkdir()
        self.git("init", "--quiet", "--template=")
        file = self.folder / ".git" / "hooks" / "pre-commit"
        file.parent.mkdir()
        file.write_text(hook, encoding="utf-8")
        file.chmod(0o755)

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["git", *words],  # noqa: S607 - whichever there is
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SEC,
        )

    def commit(self, path: str, text: str) -> subprocess.CompletedProcess[str]:
        self.stage(path, text)
        return self.git("commit", "--quiet", "--message=Add a flow")

    def stage(self, path: str, text: str) -> None:
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        assert self.git("add", "--", path).returncode == 0


def completions(schema: Any, typed: str) -> dict[str, str]:
    fields = schema["properties"]
    return {name: fields[name]["description"] for name in fields if name.startswith(typed)}


def test_a_new_flow(flow: Flow) -> None:
    """The editor completes and underlines; the hook refuses errors and says how to fix them."""
    schema = flow.ask("schema")
    items = schema["properties"]["steps"]["items"]
    assert set(completions(items["then"], "")) == {"foreach", "steps", "max_parallel"}
    record = items["else"]
    assert list(completions(schema, "")) == list(schema["properties"])
    offered = completions(record, "retr")
    assert {"retries", "retry_delay_sec", "retry_backoff"} < set(offered)
    assert all(offered.values())
    (underlined,) = Draft202012Validator(schema).iter_errors(yaml.safe_load(DRAFT))
    assert "retrys" in underlined.message

    (_, shown) = GUIDE.read_text("utf-8").split("<!-- file: .pre-commit-config.yaml -->\n```yaml\n")
    hooks = yaml.safe_load(shown.partition("```")[0])["repos"][0]["hooks"]
    hook, for_cases = hooks
    assert (for_cases["id"], for_cases["pass_filenames"]) == ("orchesjob-flow-test", False)
    assert re.search(hook["files"], "flows/nightly.yaml")
    assert not re.search(hook["files"], "docker-compose.yaml")
    repository = Repository(flow, HOOK.format(entry=" ".join([hook["entry"], *hook["args"]])))
    refused = repository.commit("flows/nightly.yaml", DRAFT)
    assert refused.returncode != 0
    assert refused.stderr.splitlines() == [  # where git puts what a hook prints
        'flows/nightly.yaml:6:5: steps[0].retrys: unknown key; did you mean "retries"?',
        'flows/nightly.yaml:8:11: steps[1].when: unknown step "fetsch"; did you mean "fetch"?',
    ]
    assert repository.git("log").returncode != 0  # there is no commit

    fixed = DRAFT.replace("retrys", "retries").replace("fetsch", "fetch")
    assert list(Draft202012Validator(schema).iter_errors(yaml.safe_load(fixed))) == []
    accepted = repository.commit("flows/nightly.yaml", fixed)
    assert accepted.returncode == 0
    assert accepted.stderr == "flows/nightly.yaml: valid: nightly, 2 steps\n"
    assert repository.git("log", "--format=%s").stdout == "Add a flow\n"
    assert not flow.home.exists()
    run = flow.start("first-night", str(repository.folder / "flows" / "nightly.yaml"))
    assert run["status"] == "SUCCEEDED"


@pytest.fixture
def repository(flow: Flow) -> Repository:
    """Return a repository with the hook as the document shows it."""
    text = GUIDE.read_text(encoding="utf-8")
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
