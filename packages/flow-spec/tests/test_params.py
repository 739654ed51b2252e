"""Rule 10.2: `${{ NAME }}` in words, and the parameters of a flow."""

import json
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_spec import FlowFileError, FlowSpec, Param, ParamsError, differences, parse_flow
from flow_spec.fields.reading import escaped, filled

# Rule 10.2: `${{ NAME }}` in the words of a flow.

type Complaints = Callable[..., list[str]]

VALUES = {"FLOW_DIR": "/flows", "RUN_DIR": "/runs/k", "RUN_KEY": "k 1"}

EVERYWHERE = """\
flow_id: f
env: {A: '${{ FLOW_DIR }}/lib', B: plain}
env_file: '${{RUN_DIR}}/flow.env'
working_dir: ${{ FLOW_DIR }}
defaults: {env: {C: '${{ RUN_KEY }}'}}
steps:
- id: a
  command: [cp, '${{ FLOW_DIR }}/${{ RUN_KEY }}', "${{\\tRUN_KEY\\n}}"]
  env: {D: '<${{ RUN_KEY }}>'}
- id: b
  script: echo '${{ RUN_KEY }}'
  env_file: [x.env, '${{ RUN_DIR }}/disk.env']
  working_dir: '${{ RUN_DIR }}'
finally:
- {id: c, command: ['${{ FLOW_DIR }}/tidy'], only_if: [test, -e, '${{ RUN_DIR }}/x']}
"""


def test_names_are_filled_in_words() -> None:
    """In commands, `env`, `env_file` and `working_dir`, as one word; in no script (rule 10.2)."""
    flow = parse_flow(EVERYWHERE).filled(VALUES)
    first, second, last = flow.all_steps
    assert dict(flow.env) == {"A": "/flows/lib", "B": "plain"}
    assert (flow.env_file, flow.working_dir) == (("/runs/k/flow.env",), "/flows")
    assert first.command == ("cp", "/flows/k 1", "k 1")
    assert dict(first.env) == {"C": "k 1", "D": "<k 1>"}
    assert second.script == "echo '${{ RUN_KEY }}'"
    assert second.env_file == ("x.env", "/runs/k/disk.env")
    assert (second.working_dir, dict(second.env)) == ("/runs/k", {"C": "k 1"})
    assert last.command == ("/flows/tidy",)
    assert last.only_if == ("test", "-e", "/runs/k/x")


def test_a_value_is_never_read_again() -> None:
    """What looks like a name in a value, or in a variable of `--env`, stays as it is (10.2)."""
    name = "${{ RUN_KEY }}"
    flow = parse_flow(EVERYWHERE).with_env({"B": name})
    whole = flow.filled({**VALUES, "FLOW_DIR": name})
    assert whole.steps[0].command[1] == f"{name}/k 1"
    assert dict(whole.env)["B"] == name
    assert whole.filled({}) == whole


@given(st.text(alphabet="${} RUN_KEY", max_size=30))
def test_any_text_can_be_written(text: str) -> None:
    """`$${{` is `${{`: so every text can be a word of a flow whose words are filled (10.2)."""
    assert filled(escaped(text), {}) == text


LITERAL = "{flow_id: f, steps: [{id: a, command: [echo, '${{ X }}', '$${{ FLOW_DIR }}', '${{']}]}"


def test_other_flows_mean_what_they_say() -> None:
    """A flow that declares no names and uses none that is built in has nothing to fill (10.2)."""
    flow = parse_flow(LITERAL)
    assert flow.filled({}).steps[0].command == ("echo", "${{ X }}", "$${{ FLOW_DIR }}", "${{")
    assert "fills" not in flow.to_json()


def flow_of(word: str) -> str:
    return f"flow_id: f\nsteps:\n- {{id: a, command: [x, '${{{{ RUN_KEY }}}}', {word}]}}\n"


WRONG = [
    ("'a ${{ RUNKEY }}'", 'unknown name "RUNKEY"; did you mean "RUN_KEY"?', 7),
    ("'b${{ RUN_KEY'", "this ${{ is never closed by }}; write ${{ NAME }}", 2),
    ("'${{ RUN_KEY | upper }}'", 'must be one name, got "RUN_KEY | upper"; write', 1),
    ("'$$ ${{ 1 }}'", 'between ${{ and }} must be one name, got "1"', 4),
]


@pytest.mark.parametrize(("word", "message", "column"), WRONG)
def test_a_wrong_name(word: str, message: str, column: int, complaints: Complaints) -> None:
    """It is found in the file as written, with a caret and what was meant (rules 2.7 and 10.2)."""
    head, shown, caret = complaints(flow_of(word))
    assert "steps[0].command[2]: " in head
    assert message in head
    assert shown.strip() == word.strip("'")
    assert len(caret) - 4 == column


def test_every_wrong_name_is_reported() -> None:
    """All of them at once, those in `defaults` once, those in `shell` as out of place (2.7)."""
    with pytest.raises(ValueError, match="unknown name") as raised:
        parse_flow(
            "flow_id: f\nenv: {A: '${{ X }} ${{ FLOW_DIR }}', shell: '${{ RUN_KEY }}'}\n"
            "defaults: {working_dir: '${{ Y }}'}\n"
            "steps:\n- {id: a, script: ls, shell: ['${{ RUN_KEY }}']}\n- {id: b, command: [b]}\n"
        )
    paths = [problem.path for problem in raised.value.problems]  # type: ignore[attr-defined]
    assert paths == ["env.A", "defaults.working_dir", "steps[0].shell[0]"]
    assert "names are not filled in here" in str(raised.value)


def test_whether_words_are_filled_is_a_difference() -> None:
    """A script and a command of the same words differ, if only one is filled (rule 4.4)."""
    text = "flow_id: f\nenv: {A: '${{ RUN_KEY }}'}\nsteps:\n- {id: a, %s}\n"
    script = parse_flow(text % "script: 'echo ${{ RUN_KEY }}', shell: [sh, -c]")
    command = parse_flow(text % "command: [sh, -c, 'echo ${{ RUN_KEY }}']")
    assert script.steps[0].command == command.steps[0].command
    assert differences(script, command) == (
        'step "a": names in command were not filled in and are now',
    )
    assert differences(command, script) == (
        'step "a": names in command were filled in and are not now',
    )


# Rule 10.2: the parameters of a flow, and the values that a run gives them.

FLOW = """\
flow_id: f
params:
  DAY: {pattern: '\\d{4}-\\d\\d', description: the month}
  SHOP: berlin
  LEVEL: {default: 1, enum: [1, 2]}
env: {LIB: '${{ FLOW_DIR }}/lib'}
env_file: '${{ SHOP }}.env'
steps:
- {id: a, command: [load, '${{ DAY }}', '<${{SHOP}}>'], env: {D: '${{ LEVEL }}'}, env_file: x}
- {id: b, script: 'echo ${{ DAY }}', working_dir: '${{ SHOP }}/${{ RUN_KEY }}'}
"""
NAMES = {"FLOW_DIR": "/flows", "RUN_DIR": "/runs/k", "RUN_KEY": "k"}


def bound(given: dict[str, str], text: str = FLOW) -> FlowSpec:
    return parse_flow(text).with_params(given)


def flaws(given: dict[str, str], text: str = FLOW) -> list[str]:
    with pytest.raises(ParamsError) as raised:
        bound(given, text)
    return [str(problem) for problem in raised.value.problems]


def test_all_that_is_wrong_with_values() -> None:
    """What is missing, unknown, outside `enum` or no match is reported at once (rule 10.2)."""
    assert flaws({"SHOPS": "x", "Q": "x", "LEVEL": "3"}) == [
        'the flow has no parameter "SHOPS"; did you mean "SHOP"?',
        'the flow has no parameter "Q"; its parameters are DAY, SHOP, LEVEL',
        "params.DAY: has no value (the month)",
        'params.LEVEL: must be one of "1", "2", got "3"',
    ]
    for wrong in ("2026-05\n", "2026-05-07", "", " 2026-05"):
        (flaw,) = flaws({"DAY": wrong})
        assert flaw.startswith("params.DAY: must match ")
        assert "as a whole, got" in flaw


TOO_LONG = "must be at most 131,066 bytes, the longest argument that Linux passes to a command"


@pytest.mark.parametrize(
    ("value", "flaw"),
    [
        ("x" * 1024**2, f"params.SHOP: {TOO_LONG}, got 1,048,576"),
        ("a\0b", "params.SHOP: must not contain the character U+0000"),
        ("\udcff", "params.SHOP: must not contain the surrogate U+DCFF"),
        ("a\nb", 'step "b": working_dir must be printable, got U+000A'),
        ("x" * 5000, 'step "b": working_dir must have at most 4,096 characters, got 5,008'),
    ],
)
def test_what_no_process_can_be_passed(value: str, flaw: str) -> None:
    """It is found in the value, or in the word that it fills (rules 2.2 and 10.2)."""
    assert any(one.startswith(flaw) for one in flaws({"DAY": "2026-05", "SHOP": value}))


PLACES = {
    "steps": "{flow_id: f, params: {P: {}}, steps: [%s]}",
    "finally": "{flow_id: f, params: {P: {}}, steps: [{id: b, command: [x]}], finally: [%s]}",
    "foreach": "{flow_id: f, params: {P: {}}, steps: [{foreach: {X: [1]}, steps: [%s]}]}",
}
"""Where a step can be."""


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    ("fields", "value", "flawed"),
    [
        ("command: ['${{ P }}', '${{ P }}']", "", "command names no program"),
        ("command: [x, '${{ P }}${{ P }}']", "a" * 70_000, "command[1] must be at most 131,071"),
        ("command: [x], only_if: ['${{ P }}']", "", "only_if names no program"),
        ("command: [x], only_if: [x, '${{ P }}${{ P }}']", "a" * 70_000, "only_if[1] must be at m"),
        ("command: [x], env: {E: '${{ P }}${{ P }}'}", "a" * 70_000, "env.E "),
        ("command: [x], env_file: '${{ P }}'", "", "env_file[0] "),
        ("command: [x], env_file: [y, '${{ P }}']", "a\nb", "env_file[1] "),
        ("command: [x], working_dir: '${{ P }}'", "", "working_dir "),
    ],
)
def test_words_of_any_step(place: str, fields: str, value: str, flawed: str) -> None:
    """What a value makes of a word is checked in each list of words, wherever the step is."""
    text = PLACES[place] % f"{{id: a, {fields}}}"
    (found,) = flaws({"P": value}, text)
    assert found.startswith(f'step "{"a@1" if place == "foreach" else "a"}": {flawed}')
    assert bound({"P": "y"}, text).values == (("P", "y"),)


DECLARATIONS = [
    (
        "[a]",
        "mapping of names to defaults, such as {SHOP: berlin}, or {X: {}} for none; got a list",
    ),
    ("{RUN_KEY: x}", "params.RUN_KEY: is a name that every flow has, like FLOW_DIR"),
    ("{A: [x]}", "params.A: must be a single text, got a list; write A: {enum: [A, B]}"),
    ("{A: }", "params.A: is empty; write A: {} if every run must give it a value, or A:"),
    ("{A: {default: x, enum: [y]}}", 'params.A: must be one of "y", got "x"'),
    ("{A: {default: y, pattern: x}}", 'params.A: must match "x" as a whole, got "y"'),
    (
        "{A: {pattern: '('}}",
        "params.A.pattern: is not a valid regular expression of Python: missing",
    ),
    ("{A: {enum: [x, x]}}", 'params.A.enum[1]: "x" is listed twice'),
]


@pytest.mark.parametrize(("declared", "message"), DECLARATIONS)
def test_a_wrong_declaration(declared: str, message: str, complaints: Complaints) -> None:
    """Parameters are checked like all else in a file (rules 2.6, 2.7 and 10.2)."""
    steps = "steps: [{id: a, command: [x, '${{ A }}', '${{ a-b }}']}]"
    found = complaints(f"flow_id: f\nparams: {declared}\n{steps}\n")
    assert any(message in line for line in found)


@pytest.mark.parametrize("in_thread", [False, True])
def test_patterns_that_take_years(in_thread: bool) -> None:
    """Comparing a value with its pattern ends within seconds, and says how to write it (2.8)."""
    param = Param("A", pattern="(a+)+$")
    value = "a" * (20 if in_thread else 60) + "!"
    before = signal.getsignal(signal.SIGVTALRM)
    with ThreadPoolExecutor(1) as pool:
        flaw = pool.submit(param.flaw_of, value).result() if in_thread else param.flaw_of(value)
    expected = "must match" if in_thread else 'cannot be compared with "(a+)+$" within 1 s: write '
    assert (flaw or "").startswith(expected)
    assert param.flaw_of("aa") is None
    assert signal.getsignal(signal.SIGVTALRM) is before
    assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)


def test_deep_patterns(complaints: Complaints) -> None:
    """A pattern that Python cannot compile is a mistake like any other (rule 2.8)."""
    for pattern in ("(" * 900, "x" * 1001, "(?<=a*)b", "x{99999999999999999999}"):
        text = json.dumps({"flow_id": "f", "params": {"A": {"pattern": pattern}}})
        found = complaints(text, "json")
        assert any("params.A.pattern: " in line for line in found)


def test_no_variable_hides_a_parameter(complaints: Complaints) -> None:
    """Neither that of the flow, nor of a step, nor a default (rules 2.6 and 10.2)."""
    found = complaints(
        "flow_id: f\nenv: {A: y, B: z}\ndefaults: {env: {A: z}}\nparams: {A: x}\n"
        "steps:\n- {id: a, command: [x], env: {A: y}}\n"
    )
    said = (
        "is a parameter, which every command sees under this name; "
        "remove it, or give the variable another name"
    )
    assert [line.partition(": ")[2] for line in found] == [
        f"{place}: {said}" for place in ("env.A", "defaults.env.A", "steps[0].env.A")
    ]


def test_a_thousand_parameters() -> None:
    """Many parameters cost little, also where a name is wrong (rule 2.8)."""
    params: dict[str, dict[str, str]] = {f"P{number}": {} for number in range(1000)}
    command = ["x", *("${{ " + name + " }}" for name in params)]
    steps = [{"id": f"s{number}", "command": command} for number in range(10)]
    text = json.dumps({"flow_id": "f", "params": params, "steps": steps})
    flow = parse_flow(text, format="json").with_params(dict.fromkeys(params, "v"))
    assert flow.filled(NAMES).steps[9].command[1:] == ("v",) * 1000
    with pytest.raises(FlowFileError, match='unknown name "Q9"; declare it beside steps:'):
        parse_flow(text.replace("${{ P9 }}", "${{ Q9 }}"), format="json")


def test_a_changed_value_is_one_difference() -> None:
    """However many words it fills; what may be given makes none (rule 4.4)."""
    before, after = bound({"DAY": "2026-05"}), bound({"DAY": "2026-06"})
    assert differences(before, after) == ('params.DAY was "2026-05" and is now "2026-06"',)
    wider = FLOW.replace("enum: [1, 2]", "enum: [1, 2, 3]").replace("the month", "month")
    assert differences(before, bound({"DAY": "2026-05"}, wider)) == ()
    none = parse_flow("{flow_id: f, steps: [{id: a, command: [x]}]}")
    some = bound({"A": "1"}, "{flow_id: f, params: {A: {}}, steps: [{id: a, command: [x]}]}")
    assert differences(none, some) == ('params.A was not set and is now "1"',)
    assert differences(some, none) == ('params.A was "1" and is now not set',)
