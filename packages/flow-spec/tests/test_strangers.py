"""What strangers write, who know GitHub Actions, dagu, make or systemd, and what they are told.

What is wrong, where it begins, and how to mend it (rules 2.7 and 6.12): each table was read line by
line as such a stranger would. `Problem` has the remedy apart from the fact.
"""

# ruff: noqa: E501 - what is written and what is said stand in one line each

import json
import subprocess
import sys

import pytest

from flow_spec import FlowFileError, Problem, parse_flow
from flow_spec.fields.messages import advice_on_field, foreign_words
from flow_spec.flow import FLOW
from flow_spec.step import STEP

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
        "put the key into the column of the keys that it belongs to, such as column 5",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n   command: [x]\n",
        "4:4",
        "not valid YAML: this line is indented like none that it could belong to",
        "put it into the column of the lines that it belongs to",
    ),
    (
        "flow_id: f\n  steps:\n  - id: a\n",
        "2:3",
        "not valid YAML: this line is indented too far",
        "put the key into the column of the keys that it belongs to, such as column 1",
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
        'not valid YAML: this line is no key with ": " behind it',
        "write KEY: VALUE",
    ),
    (
        "flow_id: f\nsteps:\n  - id:a\n    command: [x]\n",
        "3:3",
        'not valid YAML: this line is no key with ": " behind it',
        "write a space behind the colon of id:",
    ),
    (
        "flow_id:f\nsteps:\n  - id: a\n    command: [x]\n",
        "1:1",
        'not valid YAML: this line is no key with ": " behind it',
        "write a space behind the colon of flow_id:",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n    description: note: this\n",
        "5:22",
        "not valid YAML: mapping values are not allowed here",
        'put text that contains ": " in quotes',
    ),
    (
        "flow_id: f\nsteps:\n  -id: a\n   command: [x]\n",
        "3:3",
        "not valid YAML: this line is no item of a list",
        "write a space behind the hyphen: - id:",
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
        "not valid YAML: while scanning for the next token, found character '@' that cannot start any token",
        "put text that begins with this character in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [`date`]}\n",
        "3:23",
        "not valid YAML: while scanning for the next token, found character '`' that cannot start any token",
        "put text that begins with this character in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [ls, *.csv]}\n",
        "3:27",
        "not valid YAML: while scanning an alias, expected alphabetic or numeric character, but found '.'",
        "put text that begins with * in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [a, &&, b]}\n",
        "3:26",
        "not valid YAML: while scanning an anchor, expected alphabetic or numeric character, but found '&'",
        "put text that begins with & in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [a, |, b]}\n",
        "3:26",
        "not valid YAML: while scanning for the next token, found character '|' that cannot start any token",
        "put text that begins with this character in quotes",
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
    ("flow_id: {{ ds }}\nsteps: []", "1:10", "must be text, got a mapping", "put it in quotes"),
    (
        "flow_id: f\nsteps:\n  a: {command: [x]}\n",
        "3:3",
        "must be a list of steps, such as [{id: hello, command: [echo, hello]}]; got a mapping",
        "write each step as an item that begins with a hyphen: - id: NAME",
    ),
    ("id: f\nsteps: [{id: a, command: [x]}]", "1:1", "unknown key", 'write "flow_id"'),
    ("name: f\nsteps: [{id: a, command: [x]}]", "1:1", "unknown key", 'write "flow_id"'),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [x]}\n  - {id: a, command: [x]}\n",
        "4:10",
        'duplicate id "a": steps[0] on line 3 already has it',
        "give one of the two steps another id",
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
        "write [echo, hi], or script: for text that a shell runs",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, command: 'cat x | sort > y'}",
        "3:21",
        'must be a list of words, such as ["echo", "hello"]; got "cat x | sort > y"',
        "a command runs without a shell; write script: 'cat x | sort > y'",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, command: cd /tmp}",
        "3:21",
        'must be a list of words, such as ["echo", "hello"]; got "cd /tmp"',
        "a command runs without a shell; write script: 'cd /tmp'",
    ),
    (
        "flow_id: f\nsteps:\n - id: a\n   command: |\n     cd x\n     make\n",
        "4:13",
        'must be a list of words, such as ["echo", "hello"]; got "cd x\\nmake\\n"',
        "a command runs without a shell; write these lines below script: |",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, shell: bash, command: [x]}",
        "3:19",
        'must be a list of words, such as [bash, -euo, pipefail, -c]; got "bash"',
        "write [bash, -c]",
    ),
    (
        "flow_id: f\nsteps:\n - {id: a, shell: bash, script: x}",
        "3:19",
        'must be a list of words, such as [bash, -euo, pipefail, -c]; got "bash"',
        "write [bash, -c]",
    ),
    (
        "flow_id: f\nsteps:\n - id: a\n   script: |\n     #!/bin/sh\n     x\n",
        "4:12",
        'begins with "#!/bin/sh", which only files can',
        'name the program in the key "shell", such as shell: [python3, -c]',
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
    ("a == failed", "there are no comparisons", "write 'a.failed'"),
    ("a.status == 'failed'", "there are no comparisons", "write 'a.failed'"),
    ("a and b", "expected '&&', '||' or the end, got 'and'", "for 'and' write '&&'"),
    ("a or b", "expected '&&', '||' or the end, got 'or'", "for 'or' write '||'"),
    ("not a", "expected '&&', '||' or the end, got 'a'", "for 'not' write '!'"),
    (
        "always()",
        "there is no 'always()'",
        "write 'A.finished', which is true whatever the outcome of A",
    ),
    (
        "failure()",
        "there is no 'failure()'",
        "write 'A.failed' or '!A' for the step A whose failure is meant, or 'any(failed)' for all steps in depends_on",
    ),
    (
        "success()",
        "there is no 'success()'",
        "write 'A' or 'A.succeeded' for the step A that must have succeeded, or 'all(succeeded)' for all steps in depends_on",
    ),
    (
        "cancelled()",
        "there is no 'cancelled()'",
        "a cancelled flow starts no more steps but those of 'finally'",
    ),
    ("a & b", "expected '&&', '||' or the end, got '&'", "for '&' write '&&'"),
    ("a | b", "expected '&&', '||' or the end, got '|'", "for '|' write '||'"),
    ("a, b", "expected '&&', '||' or the end, got ','", "for ',' write '&&'"),
    (
        "a.success",
        "unknown predicate 'success'",
        "write 'succeeded'; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    (
        "a.fail",
        "unknown predicate 'fail'",
        "write 'failed'; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    (
        "a.exit_code == 0",
        "unknown predicate 'exit_code'",
        "ask for an outcome, such as 'A', 'A.failed' or 'A.skipped'; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    (
        "${{ a }}",
        "expected a name, '!' or '(', got '$'",
        "names are written as they are, without '$' and braces",
    ),
    (
        "${{ failure() }}",
        "expected a name, '!' or '(', got '$'",
        "names are written as they are, without '$' and braces",
    ),
    (
        "$a",
        "expected a name, '!' or '(', got '$'",
        "names are written as they are, without '$' and braces",
    ),
    (
        "${a}",
        "expected a name, '!' or '(', got '$'",
        "names are written as they are, without '$' and braces",
    ),
    ("a != success", "there are no comparisons", "write '!a.succeeded'"),
    ("steps.a.outcome == 'failure'", "there are no comparisons", "write 'a.failed'"),
    ("needs.a.result == 'success'", "there are no comparisons", "write 'a.succeeded'"),
    (
        "true",
        'unknown step "true"',
        "leave 'when' out: a step without it runs at once, or after its 'depends_on'",
    ),
    ("false", 'unknown step "false"', "a step that is not to run is a comment, or is left out"),
    ("a.failed()", "'a.failed' is asked without parentheses", "write 'a.failed'"),
    ("failed(a)", "there is no 'failed(a)'", "write 'a.failed'"),
    (
        "a.Failed",
        "unknown predicate 'Failed'",
        "write 'failed'; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    (
        "any(a, b)",
        "there is no 'any(a, b)'",
        "write 'any(...)' with one of succeeded, failed, skipped, passed, finished; it asks about the steps in depends_on",
    ),
    (
        "any()",
        "there is no 'any()'",
        "write 'any(...)' with one of succeeded, failed, skipped, passed, finished; it asks about the steps in depends_on",
    ),
    (
        "all_success",
        'unknown step "all_success"',
        "write 'all(succeeded)', which asks about the steps in 'depends_on'",
    ),
    ("aa", 'unknown step "aa"', 'did you mean "a"?'),
    (
        "one_failed",
        'unknown step "one_failed"',
        "write 'any(failed)', which asks about the steps in 'depends_on'",
    ),
    (
        "on_failure",
        'unknown step "on_failure"',
        "write 'A.failed' for the step A whose failure is meant",
    ),
    ("a = failed", "there are no comparisons", "write 'a.failed'"),
    ("a == 'skipped'", "there are no comparisons", "write 'a.skipped'"),
    ("a is failed", "there are no comparisons", "write 'a.failed'"),
    ("!a.", "expected '&&', '||' or the end, got '.'", "write NAME.succeeded, without a space"),
    ("a.failed and", "expected '&&', '||' or the end, got 'and'", "for 'and' write '&&'"),
    ("'a'", "expected a name, '!' or '(', got \"'\"", "names are written without quotes"),
    ('"a && b"', "expected a name, '!' or '(', got '\"'", "names are written without quotes"),
    ("a;b", "expected '&&', '||' or the end, got ';'", "for ';' write '&&'"),
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
    ("depends_on: [z]", 'unknown step "z"', "the steps are a, c"),
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
        "write A: b",
    ),
    ("env: A=b", 'must be a mapping of names to texts, such as {LANG: C}; got "A=b"', "write A: b"),
    (
        "env: [{name: A, value: b}]",
        "must be a mapping of names to texts, such as {LANG: C}; got a list",
        "write {NAME: VALUE}",
    ),
    ("env: {A: [x]}", "must be text, got a list", "put it in quotes"),
    ("env: {A: }", "is empty", "give it a value, or remove the key if it is optional"),
    ("allow_failure: yes", 'must be true or false, got "yes"', "write true"),
    ("strict: 1", 'must be true or false, got "1"', "write true"),
    ("working_dir: [x]", "must be text, got a list", "put it in quotes"),
    (
        "retry_delay_sec: 5 s",
        'must be a number of seconds, 0 or more, or a duration such as 90s, 15m or 1h30m, got "5 s"',
        "write 5s",
    ),
    ("success_exit_codes: 3", 'must be a list of exit codes, such as [0, 3]; got "3"', "write [3]"),
    ("success_exit_codes: ['3']", 'must be an integer >= 0, got "3"', "write it without quotes"),
    ("when: ", "is empty", "give it a value, or remove the key if it is optional"),
    ("when: [a]", "must be text, got a list", "put it in quotes"),
    (
        "timeout: 5",
        "unknown key",
        "write timeout_sec: in seconds, or with a unit, such as timeout_sec: 10m",
    ),
    ("cwd: x", "unknown key", 'write "working_dir"'),
    (
        "user: root",
        "unknown key",
        "steps run as whoever starts the run; begin the command with sudo -u USER",
    ),
    (
        "image: alpine",
        "unknown key",
        "a step is a command of this machine; let the command call ssh, docker or podman",
    ),
    (
        "loop: [1,2]",
        "unknown key",
        "write foreach: [a, b] in a step, which is run once for each value of ${{ ITEM }}",
    ),
    (
        "outputs: x",
        "unknown key",
        "output is kept by orchesjob (`orchesjob-flow logs`); steps hand values on in files below ${{ RUN_DIR }}",
    ),
    (
        "notify: me",
        "unknown key",
        "write a step of its own with when: ID.failed, or one in finally:",
    ),
    (
        "schedule: x",
        "unknown key",
        "a flow has no schedule: cron or a systemd timer calls `orchesjob-flow start`",
    ),
    (
        "tags: [x]",
        "unknown key",
        "leave it out, write it as a comment, or under a name that begins with x-",
    ),
    (
        "foo: x",
        "unknown key",
        "a step has id, command, when, depends_on, only_if, retries, retry_delay_sec, retry_backoff, retry_max_delay_sec, env, env_file, working_dir, timeout_sec, success_exit_codes, skip_exit_codes, retry_exit_codes, allow_failure, strict, start_timeout_sec, description, allow_warnings, x-airflow, script, shell, foreach, max_parallel; keys of your own begin with x-",
    ),
    ("environment: {A: b}", "unknown key", "write env: {NAME: VALUE}"),
    (
        "only_if: test -f x",
        'must be a list of words, such as ["test", "-f", "/etc/backups/auto"]; got "test -f x"',
        "write [test, -f, x]",
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
        "leave it out: after a failure, only the steps that need its success are skipped",
    ),
    (
        "name: x",
        "unknown key",
        "leave it out, write it as a comment, or under a name that begins with x-",
    ),
    (
        "labels: x",
        "unknown key",
        "leave it out, write it as a comment, or under a name that begins with x-",
    ),
    (
        "env: [A=b]",
        "must be a mapping of names to texts, such as {LANG: C}; got a list",
        "write A: b",
    ),
    (
        "on: push",
        "unknown key",
        "a flow has no schedule: cron or a systemd timer calls `orchesjob-flow start`",
    ),
    (
        "jobs: {}",
        "unknown key",
        "a flow has flow_id, steps, env, working_dir, max_parallel, timeout_sec, env_file, concurrency, finally, params, description, allow_warnings, defaults; keys of your own begin with x-",
    ),
    ("inputs: {A: b}", "unknown key", "write params: {NAME: DEFAULT}"),
    (
        "timeout: 5m",
        "unknown key",
        "write timeout_sec: in seconds, or with a unit, such as timeout_sec: 10m",
    ),
    ("max_active_runs: 1", "unknown key", "write concurrency: {on_conflict: wait}"),
    (
        "parallel: 4",
        "unknown key",
        "write foreach: [a, b] in a step, which is run once for each value of ${{ ITEM }}",
    ),
    (
        "on_failure: x",
        "unknown key",
        "write finally: [...], steps that run however the others have ended; one with when: any(failed) runs after a failure",
    ),
    (
        "finally: {id: x}",
        "must be a list of steps, such as [{id: tidy, command: [rm, -rf, work]}]; got a mapping",
        "write each step as an item that begins with a hyphen: - id: NAME",
    ),
    (
        "defaults: {timeout: 5}",
        "unknown key",
        "write timeout_sec: in seconds, or with a unit, such as timeout_sec: 10m",
    ),
    (
        "concurrency: {cancel-in-progress: true}",
        "unknown key",
        "write on_conflict: wait, skip or fail",
    ),
    (
        "version: 1",
        "unknown key",
        "leave it out, write it as a comment, or under a name that begins with x-",
    ),
    (
        "schedule: x",
        "unknown key",
        "a flow has no schedule: cron or a systemd timer calls `orchesjob-flow start`",
    ),
    ("default: {}", "unknown key", "write defaults: {retries: 2}, fields that all steps have"),
]


@pytest.mark.parametrize(("line", "fact", "advice"), FIELDS_OF_FLOW)
def test_fields_of_a_flow(line: str, fact: str, advice: str) -> None:
    """Other names and other spellings of a flow's fields are answered with ours."""
    one, *_ = problems_of(f"{A}{line}\n")
    assert (one.line, one.fact, one.help) == (5, fact, advice)


def test_the_words_of_other_systems() -> None:
    """Each word is advised on somewhere, names a field that exists, and is none of ours."""
    fields = {"a step": [*STEP.fields()], "a flow": [*FLOW.fields()]}
    entries = foreign_words()["field"]
    for entry in entries:
        for word in entry["words"].split():
            assert word == word.casefold().replace("_", "").replace("-", "")
            name = entry.get("name", "")
            known = next((known for known in fields.values() if name in known), [name])
            assert advice_on_field(word, known), word
    assert sum(len(entry["words"].split()) for entry in entries) > 200


def test_only_a_mistake_reads_the_words_of_other_systems() -> None:
    """A flow without a mistake costs neither the file nor the reader of its format."""
    flow = "flow_id: f\nsteps: [{id: a, command: [x]}, {id: b, when: !a, command: [x]}]"
    code = (
        f"import flow_spec, sys; sys.modules.pop('tomllib', None); flow_spec.parse_flow({flow!r})"
    )
    code += "; print('tomllib' in sys.modules)"  # measuring coverage has loaded it already
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "False\n"
