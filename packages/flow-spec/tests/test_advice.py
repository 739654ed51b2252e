"""What is wrong in a file, where it begins, and what to write instead (rules 2.7 and 6.12).

Many of the files are in the words of GitHub Actions, dagu, make or systemd. `Problem` has the
remedy apart from the fact.
"""

# ruff: noqa: E501 - what is written and what is said stand in one line each

import json
import re

import pytest

from flow_spec import FlowFileError, Problem, parse_flow
from flow_spec.fields.messages import foreign_words, place_of_key
from flow_spec.fields.params import PARAM
from flow_spec.fields.predicates import INSTEAD_OF_VALUES
from flow_spec.fields.records import FileOrRecord
from flow_spec.flow import FLOW
from flow_spec.foreach import BLOCK, ITEM_STEP
from flow_spec.step import CONCURRENCY, DEFAULTS

A = "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n"
B = "  - id: b\n    command: [y]\n"


def said(problem: Problem) -> str:
    """Return what is said of a problem: its place, the fact, and what to write instead."""
    return f"{problem.line}:{problem.column}: {problem.message}"


def problems_of(text: str, format_: str = "yaml") -> tuple[Problem, ...]:
    with pytest.raises(FlowFileError) as caught:
        parse_flow(text, format=format_)  # type: ignore[arg-type]
    return caught.value.problems


DOCUMENTS = [
    (
        'flow_id: "f\nsteps:\n  - id: a\n    command: [x]\n',
        '1:10: not valid YAML: this " is never closed; write " where the text ends',
    ),
    (
        'flow_id: f\nsteps:\n  - id: a\n    command: [echo, "hi]\n  - id: b\n    command: [echo, "ho"]\n',
        '4:21: not valid YAML: this " is not closed before line 6; write " where the text ends',
    ),
    (
        "flow_id: f\ndescription: it's fine\nsteps:\n  - id: a\n    command: [echo, 'it's]\n",
        "5:25: not valid YAML: while parsing a flow sequence, expected ',' or ']', but got '<scalar>'; write a comma before it, or put the whole text in quotes that it does not hold",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [echo, hi\n  - id: b\n    command: [x]\n",
        "4:14: not valid YAML: this [ is not closed before line 5; write commas between its items, # before a comment, and ] where it ends",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n     command: [x]\n",
        "4:6: not valid YAML: this line is indented too far; put the key in the column of the keys it belongs to",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n   command: [x]\n",
        "4:4: not valid YAML: this line's indentation matches no enclosing block; put it in the column of the lines it belongs to",
    ),
    (
        "flow_id: f\nsteps:\n\t- id: a\n",
        "3:1: not valid YAML: a tab in the indentation; use spaces instead of tabs",
    ),
    (
        "flow_id: f\nsteps\n  - id: a\n    command: [x]\n",
        "2:1: not valid YAML: expected KEY: VALUE on this line; write a space after the colon and after the hyphen of an item; indent text below |",
    ),
    (
        "flow_id: f\nsteps:\n  - id:a\n    command: [x]\n",
        "3:3: not valid YAML: expected KEY: VALUE on this line; write a space after the colon and after the hyphen of an item; indent text below |",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n    description: note: this\n",
        '5:18: not valid YAML: text that contains ": " needs quotes; put the text in quotes, or write | and the text on the line below, indented',
    ),
    (
        'flow_id: f\nsteps:\n  - id: c\n    when: "a" || b\n    command: [x]\n',
        "4:16: not valid YAML: while scanning a block scalar, expected chomping or indentation indicators, but found '|'; put the whole text in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    script: |\n    FOO: x\n",
        "4:13: must not be blank; write the text below script: |, indented",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    script: [ -f x ] && ./a\n",
        "4:22: not valid YAML: while scanning an anchor, expected alphabetic or numeric character, but found '&'; put it in quotes, or write script: | and the text below it, if a shell is to read it",
    ),
    (
        "flow_id: f\ndescription: 'the day's orders'\nsteps: []\n",
        "2:23: not valid YAML: while parsing a block mapping, expected <block end>, but found '<scalar>'; put the whole text in quotes that it does not hold; in single quotes, '' is an apostrophe",
    ),
    (
        "flow_id: f\nx-a: &patient {retries: 5}\nsteps: [{id: a, <<: *patiant, command: [x]}]\n",
        "3:21: *patiant is a YAML alias of an anchor &patiant that does not exist; write the name of an anchor above it, or &patiant before the value to repeat; put text that begins with * in quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n    env: {A: b}\n    env: {B: c}\n",
        "6:5: duplicate key, first given on line 5; keep one of the two, and add to it what you need of the other",
    ),
    (
        "flow_id: f\nsteps: [{id: a, command: [x]}]\nfinaly: {id: b, command: [y]}\n",
        '3:1: unknown key; did you mean "finally"? write each step as an item that begins with a hyphen: - id: NAME',
    ),
    (
        "flow_id: f\nsteps:\n  - id: a\n    command: [x]\n    id: b\n    command: [y]\n",
        "6:5: duplicate key, first given on line 4; begin the next step with a hyphen: - id: NAME",
    ),
    (
        "flow_id: f\nsteps: [{id: a, foreach: [x], command: [y]}, {id: b, command: ['${{ ITEM }}']}]\n",
        '2:64: unknown name "ITEM" here: a foreach gives it only to its own steps; give this step the same foreach:, or write both below the steps: of one',
    ),
    (
        "flow_id: f\nparams: {MODE: x}\nsteps: [{id: a, when: MODE, command: [y]}]\n",
        f'3:23: "MODE" is a parameter, and no step; {INSTEAD_OF_VALUES}',
    ),
    (
        "- id: a\n  command: [x]\n",
        "1:1: must be a mapping with flow_id and steps, got a list; write flow_id: NAME, and each job as an item of steps:",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [`date`]}\n",
        "3:23: not valid YAML: while scanning for the next token, found character '`' that cannot start any token; put it in quotes, or write script: | and the text below it, if a shell is to read it",
    ),
    (
        'flow_id: f\nsteps:\n  - {id: a, command: [x, "C:\\data"]}\n',
        "3:30: not valid YAML: while scanning a double-quoted scalar, found unknown escape character 'd'; write \\\\ for a backslash, or put the text in single quotes",
    ),
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [test, !, -f]}\n",
        "3:29: YAML tags such as !, are not supported; put text that begins with ! in quotes",
    ),
    (
        "flow_id: {{ ds }}\nsteps: []",
        "1:10: must be text, got a mapping: to YAML, {{ begins a mapping; write a name",
    ),
    (
        "flow_id: f\nsteps:\n  a: {command: [x]}\n",
        "2:1: must be a list of steps, such as [{id: hello, command: [echo, hello]}]; got a mapping; write each step as an item that begins with a hyphen: - id: NAME",
    ),
    ("id: f\nsteps: [{id: a, command: [x]}]", "1:1: unknown key; write flow_id:"),
    (
        "flow_id: f\nsteps:\n - {id: a, shell: bash, command: [x]}",
        '3:19: must be a list of words, such as [bash, -euo, pipefail, -c]; got "bash"; write the text to run as script:; shell: is for another shell than bash, such as [python3, -c]',
    ),
    (
        "flow_id: f\nsteps:\n - id: a\n   script: |\n     #!/bin/sh\n     x\n",
        "4:12: a script cannot begin with #!; remove this line: bash runs a script, and stops at the first failure; for another program write shell: above script:, such as [python3, -c]",
    ),
]


@pytest.mark.parametrize(("text", "expected"), DOCUMENTS)
def test_documents(text: str, expected: str) -> None:
    assert expected in map(said, problems_of(text))


NO_JSON = "JSON has double quotes, and neither comments nor a comma at the end; name the file .yaml to have them, with # for a comment"
JSON_DOCUMENTS = [
    (
        '{"flow_id": "f", // hi\n "steps": []}',
        f"1:18: not valid JSON: Expecting property name enclosed in double quotes; {NO_JSON}",
    ),
    ("flow_id: f\nsteps: []", f"1:1: not valid JSON: Expecting value; {NO_JSON}"),
    ('{"flow_id": "f"\n "steps": []}', "2:2: not valid JSON: Expecting ',' delimiter"),
    ("{} {}", "1:4: not valid JSON: Extra data"),
]


@pytest.mark.parametrize(("text", "expected"), JSON_DOCUMENTS)
def test_json_documents(text: str, expected: str) -> None:
    assert [*map(said, problems_of(text, "json"))] == [expected]


def test_a_comma_at_the_end_of_json_is_a_mistake() -> None:
    """Which of the two characters Python names depends on its version."""
    (one,) = problems_of('{"flow_id": "f",}', "json")
    assert (one.line, one.help) == (1, NO_JSON)


CONDITIONS = [
    ("a == failed", "a condition cannot compare values; write 'a.failed'"),
    ("a.status == 'failed'", "a condition cannot compare values; write 'a.failed'"),
    (
        "always()",
        "there is no 'always()'; write when: NAME.finished, which is true however NAME has ended, or move the step to finally:",
    ),
    (
        "a.exit_code == 0",
        "unknown predicate 'exit_code'; ask for an outcome: 'A' for success, 'A.failed', or 'A.skipped' with skip_exit_codes: [3] in A; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    (
        "${{ a }}",
        "a condition is written without braces around it; write the condition alone, such as when: build.failed",
    ),
    ("a != success", "a condition cannot compare values; write '!a.succeeded'"),
    ("steps.a.outcome == 'failure'", "a condition cannot compare values; write 'a.failed'"),
    (
        "true",
        'unknown step "true"; remove it: a step without it runs at once, or after its depends_on:',
    ),
    ("a.failed()", "'a.failed' is asked without parentheses; write 'a.failed'"),
    (
        "any()",
        "there is no 'any()'; write 'any(...)' with one of succeeded, failed, skipped, passed, finished; it asks about the steps in depends_on",
    ),
    (
        "all_success",
        'unknown step "all_success"; remove it, and name the steps before it in depends_on:, which waits for their success',
    ),
    ("a && MODE == 'full'", f"a condition cannot ask for values; {INSTEAD_OF_VALUES}"),
    (
        "a.timed_out || b",
        "unknown predicate 'timed_out'; write 'failed'; the predicates are succeeded, failed, skipped, passed, finished",
    ),
    ("a is failed", "a condition cannot compare values; write 'a.failed'"),
    ("!a.", "expected '&&', '||' or the end, got '.'; write NAME.succeeded, without a space"),
    ("'a'", "expected a name, '!' or '(', got \"'\"; names are written without quotes"),
    ("a;b", "expected '&&', '||' or the end, got ';'; for ';' write '&&'"),
]


@pytest.mark.parametrize(("when", "message"), CONDITIONS)
def test_conditions(when: str, message: str) -> None:
    """Comparisons, functions and operators of other systems are answered with ours (rule 3.3)."""
    spelled = json.dumps(when) if when[0] in "['\\\"&%|" else when
    one, *_ = problems_of(f"{A}{B}  - id: c\n    command: [z]\n    when: {spelled}\n")
    assert (one.path, one.message) == ("steps[2].when", message)


FIELDS = [
    ("allow_failure: yes", 'must be true or false, got "yes"; write true'),
    (
        "retry_exit_codes: [-1]",
        'must be an integer >= 0, got "-1"; write single codes from 0 to 255, such as [10, 11, 12]; -1 is seen as 255, and signal 9 as 137',
    ),
    (
        "retry_backoff: exponential",
        'must be a number >= 1, got "exponential"; write 2, which doubles the time between attempts each time',
    ),
    ("success_exit_codes: ['3']", 'must be an integer >= 0, got "3"; write it without quotes'),
    (
        "when: [a]",
        "must be text, got a list; write one condition, such as when: A && B, or depends_on: [A, B]",
    ),
    ("timeout: 5", "unknown key; write timeout_sec: with a unit, such as 10m"),
    (
        "user: root",
        "unknown key; begin the command with sudo if another user is to run it: command: [sudo, -u, USER, PROGRAM]",
    ),
    (
        "schedule: x",
        "unknown key; write the schedule in a crontab or a systemd timer, which calls `orchesjob-flow run FLOW_FILE`",
    ),
    (
        "foo: x",
        "unknown key; `orchesjob-flow help flow-files` lists the fields; keys of your own begin with x-",
    ),
    (
        "only_if: [[x], [y]]",
        'must be one list of words, such as ["test", "-f", "/etc/backups/auto"]; got a list of lists; write a step for each command, or each in a line of script: |',
    ),
    (
        "params: {A: b}",
        "belongs to the flow; write it beside steps:, or the values for a flow that the step runs into its command: --param, NAME=VALUE",
    ),
    ("retries: \xa03", "has a no-break space (U+00A0); write a plain space, or none"),
    (
        "when: \u201ca\u201d",
        "has a curly quotation mark (U+201C); write it straight, or leave it out",
    ),
]


@pytest.mark.parametrize(("line", "message"), FIELDS)
def test_fields_of_a_step(line: str, message: str) -> None:
    one, *_ = problems_of(f"{A}  - id: c\n    command: [z]\n    {line}\n")
    assert (one.line, one.message) == (7, message)


def test_signs_in_a_flow_id() -> None:
    """What looks like a blank and is none is no part of an id (rule 2.5)."""
    (one,) = problems_of("flow_id: a\xa0b\nsteps: [{id: a, command: [x]}]\n")
    assert (one.line, one.fact) == (1, "has a no-break space (U+00A0)")


FIELDS_OF_FLOW = [
    (
        "fail-fast: true",  # and not allow_failure, which would make the run green
        "unknown key; remove it: after a failure, only the steps that need its success are skipped",
    ),
    (
        "jobs: {}",
        "unknown key; write each job as an item of steps:, with an id:, a command: or script:, and depends_on: for the order",
    ),
    (
        "max_active_runs: 1",
        "unknown key; write concurrency: {on_conflict: wait}, so that one run runs at a time; instead of wait: skip, fail or replace",
    ),
    (
        "parallel: 4",
        "unknown key; steps that wait for nothing run side by side; max_parallel: limits how many",
    ),
    ("defaults: {timeout: 5}", "unknown key; write timeout_sec: with a unit, such as 10m"),
    (
        "concurrency: {cancel-in-progress: true}",
        "unknown key; write on_conflict: replace for true, and on_conflict: wait for false",
    ),
    ("default: {}", "unknown key; write defaults:, with fields of a step"),
]


@pytest.mark.parametrize(("line", "message"), FIELDS_OF_FLOW)
def test_fields_of_a_flow(line: str, message: str) -> None:
    one, *_ = problems_of(f"{A}{line}\n")
    assert (one.line, one.message) == (5, message)


WRONG_CURES = [
    (
        "flow_id: f\nsteps:\n  - {id: a, command: [x], enabled: false}\n",
        "put # before each of its lines to leave the step out; only_if: lets a command decide",
    ),
    (
        "flow_id: f\nowner: me\nsteps: [{id: a, command: [x]}]\n",
        "write it in description:, or in a comment: nothing here reads it",
    ),
    (
        "flow_id: f\nsteps: [{id: a, command: [x], foreach: $(ls *.csv)}]\n",
        "write a list such as [a, b], {glob: PATTERN} for file names, {lines: FILE} for the lines of a file, or {split: TEXT} for the parts of a text",
    ),
    (
        "flow_id: f\nbuild: {stage: one, script: make}\nsteps: [{id: a, command: [x]}]\n",
        "write each job as an item of steps:, with an id: and a command: or script:",
    ),
    (
        "flow_id: f\non_failure: {command: ./alert}\nsteps: [{id: a, command: [x]}]\n",
        "write a step in finally:, such as {id: alert, when: run(failed), command: [./alert]}",
    ),
    (
        "flow_id: f\n.base: &base {retries: 2}\nsteps: [{<<: *base, id: a, command: [x]}]\n",
        "begin its name with x-, as every key of your own",
    ),
    (
        "flow:\n  flow_id: f\n  steps: [{id: a, command: [x]}]\n",
        "remove it, and the indentation of flow_id: and steps: below it",
    ),
    (
        "flow_id: f\nsteps: [{id: a, command: [x], kill_on_failure: true}]\n",  # not allow_failure
        "`orchesjob-flow help flow-files` lists the fields; keys of your own begin with x-",
    ),
    (
        "flow_id: f\nsteps: [{id: a, depends_on: [b], needs: c, command: [x]}, {id: b, script: y}]\n",
        "write it in depends_on:, which is here already",
    ),
    (
        "flow_id: f\nsteps: [{id: a, command: [x], if: 'always()'}]\n",
        "write when: NAME.finished, which is true however NAME has ended, or move the step to finally:",
    ),
]


@pytest.mark.parametrize(("text", "advice"), WRONG_CURES)
def test_a_wrong_cure_is_worse_than_none(text: str, advice: str) -> None:
    """No advice removes work, or lets a step run that was not to run (rule 6.12)."""
    (one,) = problems_of(text)
    assert one.help == advice


FILES_OF_OTHER_TOOLS = [
    pytest.param(
        "name: nightly\non: {schedule: [{cron: '0 3 * * *'}]}\njobs:\n  load: {runs-on: x}\n",
        [("1:1", "name"), ("2:1", "on"), ("3:1", "jobs")],
        id="GitHub Actions",
    ),
    pytest.param(
        "build:\n  cargo build\nworker: ./work --all\n",
        [("1:1", None), ("1:1", "build"), ("3:1", "worker")],
        id="just and Procfile",
    ),
    pytest.param(
        "flow_id: f\nsteps:\n  - name: a\n    command: ./a\n    depends: b\n  - build: make\n",
        [
            ("3:5", "steps[0].name"),
            ("4:14", "steps[0].command"),
            ("5:5", "steps[0].depends"),
            ("6:5", "steps[1].build"),
        ],
        id="dagu",
    ),
]


@pytest.mark.parametrize(("text", "places"), FILES_OF_OTHER_TOOLS)
def test_what_advice_names_is_not_missing(text: str, places: list[tuple[str, str | None]]) -> None:
    """A step with an unknown `run` does not also lack a command (rule 2.7)."""
    found = [(f"{one.line}:{one.column}", one.path) for one in problems_of(text)]
    assert found == places


RECORDS = {
    record.noun: [*record.fields]
    for record in (ITEM_STEP, FLOW, DEFAULTS, CONCURRENCY, PARAM, BLOCK, FileOrRecord.record)
}


@pytest.mark.parametrize("place", foreign_words())
def test_the_words_of_other_tools(place: str) -> None:
    """No word is there twice for one answer, and each answer counts in some record."""
    answers = [one for found in foreign_words()[place].values() for one in found]
    assert answers
    for word, found in foreign_words()[place].items():
        assert len({*found}) == len(found), word
    nouns = {"anywhere": ["a flow", "a step", "defaults"]}.get(place, [place])
    for field in re.findall(r"^write (\w+):", "\n".join(answers), re.MULTILINE):
        assert place not in {*RECORDS, "anywhere"} or any(field in RECORDS[noun] for noun in nouns)


def test_every_key_has_one_place() -> None:
    """A key in the wrong record is answered with its own, whatever is added to a record."""
    steps, flows = ({*RECORDS[noun]} - {"foreach"} for noun in ("a step", "a flow"))
    homes = {
        home: {key for key in {*RECORDS[noun]} if home in str(place_of_key(key, other))}
        for home, noun, other in (
            ("the flow", "a flow", "a step"),
            ("a step", "a step", "a flow"),
            ("concurrency", "concurrency", "a flow"),
            ("a parameter", "a parameter", "a flow"),
        )
    }
    in_both = steps & flows
    assert homes["a step"] | in_both >= steps
    assert homes["the flow"] | in_both >= flows
    assert homes["concurrency"] == {*RECORDS["concurrency"]}
    assert homes["a parameter"] | {"description"} == {*RECORDS["a parameter"]}
