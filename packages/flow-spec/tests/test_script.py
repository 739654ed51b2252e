"""Rule 10.4: `script` and `shell` become the command of a step."""

import json
from collections.abc import Callable

import pytest

from flow_spec import differences, parse_flow
from flow_spec.step import SHELL

type Complaints = Callable[..., list[str]]


SHELLS = [
    ("{id: a, script: ls, shell: [sh, -eu, -c]}", ("sh", "-eu", "-c", "ls")),
    ("{id: a, script: 1, shell: [python3, -c]}", ("python3", "-c", "1")),
    ("{id: a, script: ls, shell: [bash, -euo, pipefail, -c]}", (*SHELL, "ls", "a")),
    ("{id: a, script: 'null'}", (*SHELL, "null", "a")),
]


@pytest.mark.parametrize(("step", "command"), SHELLS)
def test_shell_names_what_runs_a_script(step: str, command: tuple[str, ...]) -> None:
    """Another shell gets the text as its last word, and nothing that it may not know (10.4)."""
    (read,) = parse_flow(f"flow_id: f\nsteps: [{step}]").steps
    assert read.command == command
    assert (read.script is not None) == (command[:4] == SHELL)


ONE_LINE = 'YAML would join these lines to one; begin the text with |, as in "script: |"'
SIGN = "a script cannot begin with #!; remove this line: bash runs a script"
WRONG = [
    ("script: ls\n  command: [ls]", '4:11: steps[0].script: a step has "command" or "script", not'),
    ("shell: [sh, -c]", '3:3: steps[0]: a step needs the key "command" or "script"'),
    ("command: [ls]\n  shell: [sh, -c]", '5:10: steps[0].shell: only a "script" has a shell; a'),
    ("script: [ls, ls]", "4:11: steps[0].script: must be text, got a list; write script: | and"),
    ('script: " \\n"', "4:11: steps[0].script: must not be blank"),
    ("script:\n    ls\n    ls", f"5:5: steps[0].script: {ONE_LINE}"),
    ("script: ls\n    ls", f"4:11: steps[0].script: {ONE_LINE}"),
    ("script: >-\n    ls\n", f"4:11: steps[0].script: {ONE_LINE}"),
    ("script: |\n    #!/usr/bin/env python3\n    print()", f"4:11: steps[0].script: {SIGN}"),
    ('script: "\\n #! x"', f"4:11: steps[0].script: {SIGN}"),
]


@pytest.mark.parametrize(("fields", "start"), WRONG)
def test_what_is_no_script_is_an_error(complaints: Complaints, fields: str, start: str) -> None:
    """Mistakes are shown where they stand, each once (rules 2.6, 2.7 and 10.4)."""
    (line,) = complaints(f"flow_id: f\nsteps:\n- id: a\n  {fields}\n")
    assert line.startswith(f"f:{start}")


PLAIN = [
    "|-\n    ls\n    ls",
    "ls   # a comment",
    '"ls\\nls"',
]


@pytest.mark.parametrize("script", PLAIN)
def test_a_text_that_says_how_its_lines_are_read(complaints: Complaints, script: str) -> None:
    """A text on one line, or one whose lines are kept apart, is as its author sees it (10.4)."""
    assert complaints(f"flow_id: f\nsteps:\n- id: a\n  script: {script}\n") == []


LONG = "echo " + "x" * 70
CHANGES = [
    (
        f"{LONG} one, and so on",
        f"{LONG} two, and so on",
        f'script was "…{"x" * 19} one, and so on" and is now "…{"x" * 19} two, and so on"',
    ),
    (LONG, f"{LONG}\nls", f'script was "…{"x" * 20}" and is now "…{"x" * 20}\\nls"'),
    ("a" + LONG, "b" + LONG, f'script was "a{LONG[:58]}…" and is now "b{LONG[:58]}…"'),
]


@pytest.mark.parametrize(("before", "after", "sentence"), CHANGES)
def test_a_difference_shows_where_two_scripts_differ(
    before: str, after: str, sentence: str
) -> None:
    """A message shows only a part of a script, and that part has the difference (4.4)."""
    old, new = (
        parse_flow(json.dumps({"flow_id": "f", "steps": [{"id": "a", "script": script}]}))
        for script in (before, after)
    )
    assert differences(old, new) == (f'step "a": {sentence}',)
