"""A new flow is written in an editor and checked by a hook, before it is ever started (9.1, 9.2).

The editor's part is what its language server does with the schema: complete names, show what they
mean, underline what is wrong. The hook is the one in docs/how-to/new-flow.md for pre-commit.
"""

import re
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from support.flow import Flow
from support.repository import Repository

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
