"""What strangers write, who know GitHub Actions, dagu, make or systemd, and what they are told.

What is wrong, where it begins, and how to mend it (rules 2.7 and 6.12): each table was read line by
line as such a stranger would. `Problem` has the remedy apart from the fact.
"""

# ruff: noqa: E501 - what is written and what is said stand in one line each

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flow_spec import FlowFileError, Problem, parse_flow
from flow_spec.documents.tree import Form, Node, ScalarNode
from flow_spec.documents.yaml_document import read_yaml
from flow_spec.fields.params import PARAM
from flow_spec.fields.records import FileOrRecord
from flow_spec.fields.translation import CONVERSIONS, foreign_words, meaning_of
from flow_spec.flow import FLOW
from flow_spec.foreach import BLOCK
from flow_spec.step import CONCURRENCY, DEFAULTS, STEP

A = "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n"
B = "  - id: b\n    command: [y]\n"


def problems_of(text: str, format_: str = "yaml") -> tuple[Problem, ...]:
    """Return what is wrong with a file."""
    with pytest.raises(FlowFileError) as caught:
        parse_flow(text, format=format_)  # type: ignore[arg-type]
    return caught.value.problems


DOCUMENTS = [
    (
        'flow_id: "f\nsteps:\n  - id: a\n    command: [x]\n',
        "1:10",
        'not valid YAML: this " is never closed',
        'write " where the text ends',
    ),
    (
        'flow_id: f\nsteps:\n  - id: a\n    command: [echo, "hi]\n  - id: b\n    command: [echo, "ho"]\n',
        "4:21",
        'not valid YAML: this " is not closed before line 6',
        'write " where the text ends',
    ),
    (
        "flow_id: f\ndescription: it's fine\nsteps:\n  - id: a\n    command: [echo, 'it's]\n",
        "5:25",
        "not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<scalar>'",
        "write a comma before it, or put the whole text in the other quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [echo, hi\n  - id: b\n    command: [x]\n",
        "4:14",
        "not valid YAML: this [ is not closed before line 5",
        "write ] where it ends, and commas between its items",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [echo, hi]\n  - {id: b, command: [x]}\n",
        "3:5",
        "not valid YAML: this { is not closed before line 4",
        "write } where it ends, and commas between its items",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a command: [echo, hi]}\n",
        "3:19",
        "not valid YAML: while parsing a flow mapping, expected ',' or '}', but got ':'",
        "write a comma before it, or put the whole text in the other quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n     command: [x]\n",
        "4:6",
        "not valid YAML: this line is indented too far",
        "put the key in the column of the keys it belongs to, such as column 5",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n   command: [x]\n",
        "4:4",
        "not valid YAML: this line's indentation matches no enclosing block",
        "put it in the column of the lines it belongs to",
    ),
    (
        "flow_id: f\n  steps:\n  - id: a\n",
        "2:3",
        "not valid YAML: this line is indented too far",
        "put the key in the column of the keys it belongs to, such as column 1",
    ),
    (
        "flow_id: f\nsteps:\n\t- id: a\n",
        "3:1",
        "not valid YAML: a tab in the indentation",
        "use spaces instead of tabs",
    ),
    (
        "flow_id: f\nsteps\n  - id: a\n    command: [x]\n",
        "2:1",
        "not valid YAML: expected KEY: VALUE on this line",
        "write KEY: VALUE",
    ),
    (
        "flow_id: f\nsteps:\n  - id:a\n    command: [x]\n",
        "3:3",
        "not valid YAML: expected KEY: VALUE on this line",
        "add a space after the colon of id:",
    ),
    (
        "flow_id:f\nsteps:\n  - id: a\n    command: [x]\n",
        "1:1",
        "not valid YAML: expected KEY: VALUE on this line",
        "add a space after the colon of flow_id:",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n    description: note: this\n",
        "5:18",
        'not valid YAML: text that contains ": " needs quotes',
        "write description: 'note: this'",
    ),
    (
        "flow_id: f\nsteps:\n  -id: a\n   command: [x]\n",
        "3:3",
        "not valid YAML: expected an item of a list on this line",
        "add a space after the hyphen: - id:",
    ),
    (
        "- id: a\n  command: [x]\n",
        "1:1",
        "must be a mapping with flow_id and steps, got a list",
        "write flow_id: NAME and steps: before it, and indent the list below steps:",
    ),
    (
        "flow_id: @f\nsteps: []\n",
        "1:10",
        "not valid YAML: to YAML, @ cannot begin a text",
        "put it in quotes: '@f'",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [`date`]}\n",
        "3:23",
        "not valid YAML: to YAML, ` cannot begin a text",
        "put it in quotes: '`date`'",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [ls, *.csv]}\n",
        "3:27",
        "not valid YAML: to YAML, * begins an alias",
        "only a shell expands *: write script: ls *.csv in place of command:",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [a, &&, b]}\n",
        "3:26",
        "not valid YAML: to YAML, & begins an anchor",
        "only a shell knows &&: write script: a && b in place of command:",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [a, |, b]}\n",
        "3:26",
        "not valid YAML: to YAML, | begins lines of text",
        "only a shell knows |: write script: a | b in place of command:",
    ),
    (
        'flow_id: f\nsteps:\n  - {id: a, command: [x, "C:\\data"]}\n',
        "3:30",
        "not valid YAML: while scanning a double-quoted scalar, found unknown escape character 'd'",
        "write \\\\ for a backslash, or put the text in single quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [test, !, -f]}\n",
        "3:29",
        "YAML tags such as !, are not supported",
        "put text that begins with ! in quotes",
    ),
    (
        "flow_id: {{ ds }}\nsteps: []",
        "1:10",
        "must be text, got a mapping: to YAML, {{ begins a mapping",
        "write ds",
    ),
    (
        "flow_id: f\nsteps:\n  a: {command: [x]}\n",
        "2:1",
        "must be a list of steps, such as [{id: hello, command: [echo, hello]}]; got a mapping",
        "write steps: [{id: a, command: [x]}]",
    ),
    ("id: f\nsteps: [{id: a, command: [x]}]", "1:1", "unknown key", "write flow_id: f"),
    ("name: f\nsteps: [{id: a, command: [x]}]", "1:1", "unknown key", "write flow_id: f"),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [x]}\n  - {id: a, command: [x]}\n",
        "4:10",
        'duplicate id "a": steps[0] on line 3 already has it',
        "give one of the two steps another id, such as a-2",
    ),
    (
        "flow_id: f\nsteps: [{id: build app, command: [x]}]",
        "2:14",
        'must be made of A-Z, a-z, 0-9, _ and -, and not begin with -, got "build app"',
        "write build-app",
    ),
    (
        "flow_id: f\nsteps: [{id: build.app, command: [x]}]",
        "2:14",
        'must be made of A-Z, a-z, 0-9, _ and -, and not begin with -, got "build.app"',
        "write build-app",
    ),
    (
        "flow_id: f\nsteps: [{id: a, command: echo hi}]",
        "2:26",
        'must be a list of words, such as ["echo", "hello"]; got "echo hi"',
        "write [echo, hi], or script: 'echo hi' for a shell",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, command: 'cat x | sort > y'}",
        "3:21",
        'must be a list of words, such as ["echo", "hello"]; got "cat x | sort > y"',
        "a command runs without a shell; write script: 'cat x | sort > y' in place of command:",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, command: cd /tmp}",
        "3:21",
        'must be a list of words, such as ["echo", "hello"]; got "cd /tmp"',
        "a command runs without a shell; write script: 'cd /tmp' in place of command:",
    ),
    (
        "flow_id: f\nsteps:\n - id: a\n   command: |\n     cd x\n     make\n",
        "4:13",
        'must be a list of words, such as ["echo", "hello"]; got "cd x\\nmake\\n"',
        "a command runs without a shell; write these lines below script: | in place of command:",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, shell: bash, command: [x]}",
        "3:19",
        'must be a list of words, such as [bash, -euo, pipefail, -c]; got "bash"',
        "remove it: bash runs a script, and stops at the first failure",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, shell: bash, script: x}",
        "3:19",
        'must be a list of words, such as [bash, -euo, pipefail, -c]; got "bash"',
        "remove it: bash runs a script, and stops at the first failure",
    ),
    (
        "flow_id: f\nsteps:\n - id: a\n   script: |\n     #!/bin/sh\n     x\n",
        "4:12",
        "a script cannot begin with #!",
        "remove this line: bash runs a script, and stops at the first failure",
    ),
]


@pytest.mark.parametrize(("text", "place", "fact", "advice"), DOCUMENTS)
def test_documents(text: str, place: str, fact: str, advice: str) -> None:
    """A mistake is placed where it begins, not where YAML cannot go on."""
    problems = problems_of(text)
    found = [(f"{one.line}:{one.column}", one.fact, one.help) for one in problems]
    assert (place, fact, advice) in found


JSON_DOCUMENTS = [
    (
        '{"flow_id": "f", // hi\n "steps": []}',
        "1:18",
        "not valid JSON: Expecting property name enclosed in double quotes",
        "JSON has no comments; remove it, or name the file .yaml, which has # for them",
    ),
    (
        '{"flow_id": "f",\n "steps": [{"id":"a","command":["x"],}]}',
        "2:37",
        "not valid JSON: a comma before a closing bracket",
        "remove the comma",
    ),
    (
        '{"flow_id": "f",\n "steps": [{"id":"a","command":["x"]},\n]}',
        "2:38",
        "not valid JSON: a comma before a closing bracket",
        "remove the comma",
    ),
    (
        "{'flow_id': 'f'}",
        "1:2",
        "not valid JSON: Expecting property name enclosed in double quotes",
        "JSON has double quotes only",
    ),
    (
        '{flow_id: "f"}',
        "1:2",
        "not valid JSON: Expecting property name enclosed in double quotes",
        "put the key in double quotes, or name the file .yaml",
    ),
    (
        '{"flow_id": "f", "steps": [{"id":"a","command":["x"],"strict": True}]}',
        "1:64",
        "not valid JSON: Expecting value",
        "JSON has true, false and null, in small letters",
    ),
    (
        '{"flow_id": "f", "steps": [{"id":"a","command":["x"]}',
        "1:27",
        "not valid JSON: this [ is never closed",
        "write ] where it ends",
    ),
    (
        '{"flow_id": "f"\n "steps": []}',
        "2:2",
        "not valid JSON: Expecting ',' delimiter",
        "write a comma before it",
    ),
    (
        "flow_id: f\nsteps: []",
        "1:1",
        "not valid JSON: Expecting value",
        "this looks like YAML; name the file .yaml",
    ),
    (
        '{"a": /* x */ 1}',
        "1:7",
        "not valid JSON: Expecting value",
        "JSON has no comments; remove it, or name the file .yaml, which has # for them",
    ),
    (
        '{"flow_id": "f\n}',
        "1:13",
        'not valid JSON: Unterminated string, this " is not closed on its line',
        'write " where the text ends, and \\n for a line break',
    ),
]


@pytest.mark.parametrize(("text", "place", "fact", "advice"), JSON_DOCUMENTS)
def test_json_documents(text: str, place: str, fact: str, advice: str) -> None:
    """What YAML or JavaScript would allow is said to be none of JSON."""
    (one,) = problems_of(text, "json")
    assert (f"{one.line}:{one.column}", one.fact, one.help) == (place, fact, advice)


CONDITIONS = [
    ("a == failed", "a condition cannot compare values", "write when: a.failed"),
    ("a.status == 'failed'", "a condition cannot compare values", "write when: a.failed"),
    ("a and b", "expected '&&', '||' or the end, got 'and'", "write when: a && b"),
    ("a or b", "expected '&&', '||' or the end, got 'or'", "write when: a || b"),
    ("not a", "expected '&&', '||' or the end, got 'a'", "write when: !a"),
    (
        "always()",
        "there is no 'always()'",
        "write when: b.finished, or move the step to finally:",
    ),
    (
        "failure()",
        "there is no 'failure()'",
        "write when: a.failed || b.failed",
    ),
    (
        "success()",
        "there is no 'success()'",
        "remove it: with depends_on: [b], the step runs only after success",
    ),
    (
        "cancelled()",
        "there is no 'cancelled()'",
        "a cancelled flow starts no more steps but those of 'finally'",
    ),
    ("a & b", "expected '&&', '||' or the end, got '&'", "write when: a && b"),
    ("a | b", "expected '&&', '||' or the end, got '|'", "write when: a || b"),
    ("a, b", "expected '&&', '||' or the end, got ','", "write when: a && b"),
    (
        "a.success",
        "unknown predicate 'success'",
        "write when: a.succeeded",
    ),
    (
        "a.fail",
        "unknown predicate 'fail'",
        "write when: a.failed",
    ),
    (
        "a.exit_code == 0",
        "unknown predicate 'exit_code'",
        "write when: a.succeeded",
    ),
    (
        "${{ a }}",
        "a condition is written without braces around it",
        "write when: a",
    ),
    (
        "${{ failure() }}",
        "a condition is written without braces around it",
        "write when: a.failed || b.failed",
    ),
    (
        "$a",
        "expected a name, '!' or '(', got '$'",
        "write when: a",
    ),
    (
        "${a}",
        "expected a name, '!' or '(', got '$'",
        "write when: a",
    ),
    ("a != success", "a condition cannot compare values", "write when: !a.succeeded"),
    ("steps.a.outcome == 'failure'", "a condition cannot compare values", "write when: a.failed"),
    ("needs.a.result == 'success'", "a condition cannot compare values", "write when: a.succeeded"),
    (
        "true",
        'unknown step "true"',
        "leave 'when' out: a step without it runs at once, or after its 'depends_on'",
    ),
    ("false", 'unknown step "false"', "a step that is not to run is a comment, or is left out"),
    ("a.failed()", "'a.failed' is asked without parentheses", "write 'a.failed'"),
    ("failed(a)", "there is no 'failed(a)'", "write when: a.failed"),
    (
        "a.Failed",
        "unknown predicate 'Failed'",
        "write when: a.failed",
    ),
    (
        "any(a, b)",
        "there is no 'any(a, b)'",
        "write when: a || b",
    ),
    (
        "any()",
        "there is no 'any()'",
        "write 'any(...)' with one of succeeded, failed, skipped, passed, finished; it asks about the steps in depends_on",
    ),
    (
        "all_success",
        'unknown step "all_success"',
        "remove it: with depends_on: [b], the step runs only after success",
    ),
    ("aa", 'unknown step "aa"', 'did you mean "a"?'),
    (
        "one_failed",
        'unknown step "one_failed"',
        "write when: a.failed || b.failed",
    ),
    (
        "on_failure",
        'unknown step "on_failure"',
        "write when: a.failed || b.failed",
    ),
    ("a = failed", "a condition cannot compare values", "write when: a.failed"),
    ("a == 'skipped'", "a condition cannot compare values", "write when: a.skipped"),
    ("a is failed", "a condition cannot compare values", "write when: a.failed"),
    ("!a.", "expected '&&', '||' or the end, got '.'", "write NAME.succeeded, without a space"),
    ("a.failed and", "expected '&&', '||' or the end, got 'and'", "for 'and' write '&&'"),
    ("'a'", "expected a name, '!' or '(', got \"'\"", "write when: a"),
    ('"a && b"', "expected a name, '!' or '(', got '\"'", "names are written without quotes"),
    ("a;b", "expected '&&', '||' or the end, got ';'", "write when: a && b"),
    (
        "a.cancelled",
        "unknown predicate 'cancelled'",
        "only the steps of 'finally' can ask that, since after a cancel no other step begins; the predicates are succeeded, failed, skipped, passed, finished",
    ),
]


@pytest.mark.parametrize(("when", "fact", "advice"), CONDITIONS)
def test_conditions(when: str, fact: str, advice: str) -> None:
    """Comparisons, functions and operators of other systems are answered with ours (rule 3.3)."""
    spelled = json.dumps(when) if when[0] in "['\\\"&%|" else when
    one, *_ = problems_of(f"{A}{B}  - id: c\n    command: [z]\n    when: {spelled}\n")
    assert (one.path, one.fact, one.help) == ("steps[2].when", fact, advice)


FIELDS = [
    (
        "depends_on: a, b",
        'must be a list of step ids, such as [download]; got "a, b"',
        "write [a, b]",
    ),
    ("depends_on: a", 'must be a list of step ids, such as [download]; got "a"', "write [a]"),
    ("depends_on: [z]", 'unknown step "z"', "the steps are a"),
    ("retries: ", "is empty", "give it a value, or remove the key if it is optional"),
    (
        "timeout_sec: 10 minutes",
        'must be a number of seconds, more than 0, or a duration such as 90s, 15m or 1h30m, got "10 minutes"',
        "write 10m",
    ),
    (
        "timeout_sec: 1:30:00",
        'must be a number of seconds, more than 0, or a duration such as 90s, 15m or 1h30m, got "1:30:00"',
        "write 1h30m",
    ),
    (
        "timeout_sec: 10min",
        'must be a number of seconds, more than 0, or a duration such as 90s, 15m or 1h30m, got "10min"',
        "write 10m",
    ),
    (
        "env: [A=b, C=d]",
        "must be a mapping of names to texts, such as {LANG: C}; got a list",
        "write env: {A: b, C: d}",
    ),
    (
        "env: A=b",
        'must be a mapping of names to texts, such as {LANG: C}; got "A=b"',
        "write {A: b}",
    ),
    (
        "env: [{name: A, value: b}]",
        "must be a mapping of names to texts, such as {LANG: C}; got a list",
        "write env: {A: b}",
    ),
    ("env: {A: [x]}", "must be text, got a list", "write x"),
    ("env: {A: }", "is empty", 'write A: "" for empty text'),
    ("allow_failure: yes", 'must be true or false, got "yes"', "write true"),
    ("strict: 1", 'must be true or false, got "1"', "write true"),
    ("working_dir: [x]", "must be text, got a list", "write x"),
    (
        "retry_delay_sec: 5 s",
        'must be a number of seconds, 0 or more, or a duration such as 90s, 15m or 1h30m, got "5 s"',
        "write 5s",
    ),
    ("success_exit_codes: 3", 'must be a list of exit codes, such as [0, 3]; got "3"', "write [3]"),
    ("success_exit_codes: ['3']", 'must be an integer >= 0, got "3"', "write it without quotes"),
    ("when: ", "is empty", "give it a value, or remove the key if it is optional"),
    ("when: [a]", "must be text, got a list", "write when: a, or depends_on: [a]"),
    (
        "timeout: 5",
        "unknown key",
        "write timeout_sec: 5",
    ),
    ("cwd: x", "unknown key", "write working_dir: x"),
    (
        "user: root",
        "unknown key",
        "write command: [sudo, -u, root, z]",
    ),
    (
        "image: alpine",
        "unknown key",
        "write command: [docker, run, --rm, alpine, z]",
    ),
    (
        "loop: [1,2]",
        "unknown key",
        "write foreach: [1, 2], and '${{ ITEM }}' for the value",
    ),
    (
        "outputs: x",
        "unknown key",
        "remove it: `orchesjob-flow logs` shows the output; files below ${{ RUN_DIR }} are for later steps",
    ),
    (
        "notify: me",
        "unknown key",
        "write a step of its own: - {id: me, when: c, script: ./next}",
    ),
    (
        "schedule: x",
        "unknown key",
        "remove it: cron or a systemd timer runs `orchesjob-flow run FLOW_FILE`",
    ),
    (
        "tags: [x]",
        "unknown key",
        "remove it, or rename it to x-tags; keys that begin with x- are yours",
    ),
    (
        "foo: x",
        "unknown key",
        "remove it, or rename it to x-foo; keys that begin with x- are yours",
    ),
    ("environment: {A: b}", "unknown key", "write env: {A: b}"),
    (
        "only_if: test -f x",
        'must be a list of words, such as ["test", "-f", "/etc/backups/auto"]; got "test -f x"',
        "write only_if: [test, -f, x]",
    ),
    ("description: ", "is empty", "give it a value, or remove the key if it is optional"),
]


@pytest.mark.parametrize(("line", "fact", "advice"), FIELDS)
def test_fields_of_a_step(line: str, fact: str, advice: str) -> None:
    """Other names and other spellings of a step's fields are answered with ours."""
    one, *_ = problems_of(f"{A}  - id: c\n    command: [z]\n    {line}\n")
    assert (one.line, one.fact, one.help) == (7, fact, advice)


FIELDS_OF_FLOW = [
    (
        "fail-fast: true",  # and not allow_failure, which would make the run green
        "unknown key",
        "remove it: after a failure, only the steps that need its success are skipped",
    ),
    (
        "name: x",
        "unknown key",
        "write description: x",
    ),
    (
        "labels: x",
        "unknown key",
        "remove it, or rename it to x-labels; keys that begin with x- are yours",
    ),
    (
        "env: [A=b]",
        "must be a mapping of names to texts, such as {LANG: C}; got a list",
        "write env: {A: b}",
    ),
    (
        "on: push",
        "unknown key",
        "remove it, and add to .git/hooks/pre-push: orchesjob-flow run FLOW_FILE",
    ),
    (
        "jobs: {}",
        "unknown key",
        "write each of them as an item of steps:",
    ),
    ("inputs: {A: b}", "unknown key", "write params: {A: b}"),
    (
        "timeout: 5m",
        "unknown key",
        "write timeout_sec: 5m",
    ),
    (
        "max_active_runs: 1",
        "unknown key",
        "write concurrency: {on_conflict: wait}, which lets one run at a time",
    ),
    (
        "parallel: 4",
        "unknown key",
        "write max_parallel: 4",
    ),
    (
        "on_failure: x",
        "unknown key",
        "write finally: [{id: alert, when: any(failed), script: x}]",
    ),
    (
        "finally: {id: x}",
        "must be a list of steps, such as [{id: tidy, command: [rm, -rf, work]}]; got a mapping",
        "write finally: [{id: x}]",
    ),
    (
        "defaults: {timeout: 5}",
        "unknown key",
        "write timeout_sec: 5",
    ),
    (
        "concurrency: {cancel-in-progress: true}",
        "unknown key",
        "write on_conflict: replace",
    ),
    (
        "version: 1",
        "unknown key",
        "remove it: a flow file has no version",
    ),
    (
        "schedule: x",
        "unknown key",
        "remove it: cron or a systemd timer runs `orchesjob-flow run FLOW_FILE`",
    ),
    ("default: {}", "unknown key", "write defaults: {retries: 2}, with the keys of a step"),
]


@pytest.mark.parametrize(("line", "fact", "advice"), FIELDS_OF_FLOW)
def test_fields_of_a_flow(line: str, fact: str, advice: str) -> None:
    """Other names and other spellings of a flow's fields are answered with ours."""
    one, *_ = problems_of(f"{A}{line}\n")
    assert (one.line, one.fact, one.help) == (5, fact, advice)


WRONG_FILES = Path(__file__).with_name("wrong_files.txt").read_text("utf-8").split("===== ")[1:]
"""Each has a title, a file, and after a line of hyphens the whole error about it."""


@pytest.mark.parametrize("entry", WRONG_FILES, ids=lambda entry: entry.partition("\n")[0])
def test_a_hundred_wrong_files(entry: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What people type who know another system is answered with what to type here (rule 6.12)."""
    monkeypatch.setenv("HOME", "/home/me")
    file, _, error = entry.partition("\n")[2].partition("-----\n")
    with pytest.raises(FlowFileError) as caught:
        parse_flow(file, source="f")
    assert f"{caught.value}\n" == error


AFTER_THE_LINE = re.compile(
    r"(, and |; (?=[a-z`])|, which |, the |, fields | in place of | beside | for all steps|, or |,? (?:and )?(?=retry_[^{}]*$)| and steps:).*"
)
"""What advice says after the line to write."""


@pytest.mark.parametrize("entry", WRONG_FILES, ids=lambda entry: entry.partition("\n")[0])
def test_what_to_write_can_be_pasted(entry: str) -> None:
    """The line that advice begins with is YAML, whatever stood in the file (rule 6.12)."""
    file, _, _ = entry.partition("\n")[2].partition("-----\n")
    for problem in problems_of(file):
        found = re.match(r"(?:write|add) ((?:- )?[\w-]+: .*|[\[{].*)", problem.help or "")
        if found is not None:
            read_yaml(AFTER_THE_LINE.sub("", found[1]))


REST_OF_FILE = [
    pytest.param(
        "stages: [build, test]\nmake:\n  {stage: build, script: make}\nunit:\n"
        "  {stage: test, script: ./unit}\nlint:\n  {stage: test, script: ./lint}\n",
        [
            "remove it: depends_on: in each step sets the order",
            (
                "write flow_id: night, and steps: [{id: make, script: make}, "
                "{id: unit, depends_on: [make], script: ./unit}, "
                "{id: lint, depends_on: [make], script: ./lint}]"
            ),
            "remove it: steps: (above) contains it",
            "remove it: steps: (above) contains it",
        ],
        id="stages",
    ),
    pytest.param(
        "flow_id: f\nsteps:\n  - {name: get, uses: actions/checkout@v4}\n"
        "  - {name: a, run: x}\n  - {name: b, run: y}\n",
        [
            "remove it with the step: a flow runs where its files are",
            "remove the step: a flow runs where its files are",
            "write id: a",
            "write script: x",
            "write id: b, and depends_on: [a]",
            "write script: y",
        ],
        id="the order of a job",
    ),
    pytest.param(
        "flow_id: f\nparams: {sure: 'no'}\nsteps:\n"
        "  - {id: a, command: [x], when: inputs.sure == 'yes'}\n",
        ["write only_if: [sh, -c, 'test \"$sure\" = yes'] in place of when:"],
        id="a parameter that is there",
    ),
    pytest.param(
        "flow_id: f\nenv: {A: {sh: date}}\nsteps: [{id: a, command: [x]}, {id: b, script: y}]\n",
        ["remove env:, and set it in the script: export A=$(date)"],
        id="a variable for several steps",
    ),
    pytest.param(
        "CC=gcc\nall: app\napp: main.o\n\t@$(CC) -o $@ $<\nmain.o: main.c\n\t$(CC) -c $<\n"
        "clean:\n\t-rm -f app\n",
        [
            (
                "write flow_id: night, and env: {CC: gcc}, and steps: [{id: app, depends_on: "
                "[main-o], script: '$CC -o app main.o'}, {id: main-o, script: '$CC -c main.c'}]"
                "; left out: clean"
            )
        ],
        id="what the first rule of a Makefile needs",
    ),
    pytest.param("steps: [{id: a, command: [x]}]\n", ["add flow_id: night"], id="a missing name"),
    pytest.param(
        "flow_id: f\nenv: {A: {sh: date}, B: c}\nsteps: [{id: a, command: [x]}, {id: b, script: y}]\n",
        ["remove it, and set it in the script: export A=$(date)"],
        id="a variable beside others",
    ),
    pytest.param(
        "flow_id: f\nsteps:\n  - {id: a, run: x, cmd: y, vars: {A: b}, environment: {C: d}}\n",
        [
            "write script: x",
            "write script: y",
            "write env: {A: b, C: d}",
            "remove it: env: (above) contains it",
        ],
        id="keys that mean the same field",
    ),
]


@pytest.mark.parametrize(("text", "helps"), REST_OF_FILE)
def test_advice_knows_the_rest_of_the_file(text: str, helps: list[str]) -> None:
    """Names, order and the file's own name come from the file, not from an example (rule 6.12)."""
    with pytest.raises(FlowFileError) as caught:
        parse_flow(text, source="flows/night.yaml")
    assert [problem.help for problem in caught.value.problems] == helps


FACTS = [
    ('$CI_COMMIT_BRANCH == "main"', "[sh, -c, 'test \"$(git branch --show-current)\" = main']"),
    ("github.ref == 'refs/tags/v1'", "[sh, -c, 'test \"$(git tag --points-at HEAD)\" = v1']"),
    ("$CI_COMMIT_TAG", "[sh, -c, 'test -n \"$(git tag --points-at HEAD)\"']"),
    ("ansible_os_family == 'RedHat'", "[test, -f, /etc/redhat-release]"),
    ("ansible_hostname != 'db'", "[sh, -c, 'test \"$(hostname)\" != db']"),
    ("runner.os == 'Linux'", "[sh, -c, 'test \"$(uname)\" = Linux']"),
]


@pytest.mark.parametrize(("when", "command"), FACTS)
def test_facts_of_other_systems(when: str, command: str) -> None:
    """What only another system sets is asked of this machine (rule 6.12)."""
    (one,) = problems_of(f"{A}    when: {when}\n")
    assert one.help == f"write only_if: {command} in place of when:"


def test_unknown_facts_of_other_systems() -> None:
    """A variable that nothing sets here is said to be missing; there are no facts."""
    (one,) = problems_of(f"{A}    when: $CI_PIPELINE_SOURCE == 'push'\n")
    assert str(one.help).endswith("; nothing here sets CI_PIPELINE_SOURCE: set it in env:")
    (one,) = problems_of(f"{A}    when: ansible_memtotal_mb > 4\n")
    assert str(one.help).startswith("write only_if: in place of when:, ")


def test_there_are_more_than_a_hundred_of_them() -> None:
    """None is there twice."""
    files = {entry.partition("-----")[0].partition("\n")[2] for entry in WRONG_FILES}
    assert len(files) == len(WRONG_FILES) > 100


def test_the_words_of_other_systems() -> None:
    """Each word is advised on in some record, and each named field exists there."""
    entries = foreign_words()["field"]
    for entry in entries:
        for word in entry["words"].split():
            assert word == word.casefold().replace("_", "").replace("-", "")
            value = ScalarNode("x", Form.BARE)
            beside = dict.fromkeys(entry.get("beside", "").split(), value)
            given: dict[str, Node] = {word: value, **beside}
            assert any(meaning_of(word, noun, known, given) for noun, known in RECORDS.items()), (
                word
            )
    advice = " ".join(one for entry in entries for one in entry["advice"])
    assert {*re.findall(r"<([a-z_0-9]+)(?:@[a-z]+)?>", advice)} <= {*CONVERSIONS, "word"}
    assert {entry["name"] for entry in entries if "name" in entry} <= set().union(*RECORDS.values())
    assert sum(len(entry["words"].split()) for entry in entries) > 400


RECORDS = {
    record.noun: [*record.fields()]
    for record in (STEP, FLOW, DEFAULTS, CONCURRENCY, PARAM, BLOCK, FileOrRecord.record)
}


def test_every_key_has_one_place() -> None:
    """A key in the wrong record is answered with its own, whatever is added to a record."""
    steps, flows = ({*RECORDS[noun]} - {"foreach"} for noun in ("a step", "a flow"))
    places = {noun: set(keys.split()) for noun, keys in foreign_words()["places"].items()}
    in_both = steps & flows - {"max_parallel"}
    assert places["a step"] | in_both | {"description"} >= steps - {"max_parallel"}
    assert places["a flow"] | in_both | {"description"} >= flows
    assert places["concurrency"] == {*RECORDS["concurrency"]}
    assert places["a parameter"] | {"description"} == {*RECORDS["a parameter"]}
    assert {*foreign_words()["only_in_a_step"]["keys"].split()} <= steps - {*RECORDS["defaults"]}


def test_only_a_mistake_reads_the_words_of_other_systems() -> None:
    """A flow without a mistake costs neither the file nor the reader of its format."""
    flow = "flow_id: f\nsteps: [{id: a, command: [x]}, {id: b, when: !a, command: [x]}]"
    code = (
        f"import flow_spec, sys; sys.modules.pop('tomllib', None); flow_spec.parse_flow({flow!r})"
    )
    code += "; print('tomllib' in sys.modules)"  # measuring coverage has loaded it already
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
