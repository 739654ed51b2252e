"""Rule 10.2: `${{ NAME }}` in the words of a flow."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flow_spec import differences, parse_flow
from flow_spec.fields.reading import escaped, filled

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
