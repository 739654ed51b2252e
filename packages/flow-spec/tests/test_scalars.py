"""Rule 2.5: YAML scalars are text, and the field decides the type."""

import json
from collections.abc import Callable

import pytest

from flow_spec import parse_flow

type Complaints = Callable[..., list[str]]

WORDS = [
    *("sleep", "5", "1e3", "0x1F", "0o17", "010", "2026-05-07", "2026-05-07T00:00:00Z"),
    *("12:30:00", "yes", "no", "on", "off", "true", "True", "null", "Null", "~", "1_000", "1.10"),
    *("+1", "-1", ".5", ".inf", ".nan", "=", "<x", "a:b"),
]


def test_words_pass_exactly_their_characters() -> None:
    """No word of a command is a number, a date, a truth value or nothing (rule 2.5)."""
    text = "flow_id: f\nsteps:\n- id: A\n  command:\n" + "".join(f"  - {w}\n" for w in WORDS)
    assert parse_flow(text).step("A").command == tuple(WORDS)


@pytest.mark.parametrize("word", ["no", "on", "1_0", "0x1F", "null", "2026-05-07", "1e3", "true"])
def test_a_step_may_be_called_like_a_value(word: str) -> None:
    """An id is text, and so are its references (rule 2.5)."""
    first = f"{{id: {word}, command: [x]}}"
    second = f"{{id: B, command: [x], when: {word}}}"
    text = f"flow_id: {word}\nsteps: [{first}, {second}]"
    flow = parse_flow(text)
    assert (flow.flow_id, flow.steps[0].id, flow.step("B").waits_for) == (word, word, (word,))


ACCEPTED = [
    ("retries", "3", 3),
    ("retries", "0", 0),
    ("retries", "1000000", 1_000_000),
    ("retry_delay_sec", "0", 0.0),
    ("retry_delay_sec", "1e3", 1000.0),
    ("retry_delay_sec", "1.5E-2", 0.015),
    ("timeout_sec", "0.001", 0.001),
    ("start_timeout_sec", "0", 0.0),
    ("strict", "false", False),
    ("retry_max_delay_sec", '"1h30m"', 5400.0),
    ("timeout_sec", '"3660d"', 316_224_000.0),
]

INTEGER = "must be an integer >= 0, got "
DURATION = "or a duration such as 90s, 15m or 1h30m, got "
DELAY = f"must be a number of seconds, 0 or more, such as 0.5, {DURATION}"
ABOVE = f"must be a number of seconds, more than 0, {DURATION}"
NO_LIMIT = (
    "; remove it: without it, there is no limit; over a value in defaults:, write a large one such "
    "as 7d"
)
TEN_YEARS = "must be at most 316,224,000 seconds, which are ten years, got "
AS_LIST = "; write its words as a list, or script: for text that a shell runs"
AS_ITEMS = "; write each id as an item of the list; a condition over steps is when:"
TRUTH = "must be true or false, got "
LIST = 'must be a list of words, such as ["echo", "hello"]; got '
IDS = "must be a list of step ids, such as [download]; got "
UNQUOTE = "; write it without quotes"
REMOVE = "; give it a value, or remove the key if it is optional"

REFUSED = [
    ("retries", "many", INTEGER + '"many"'),
    ("retries", '"3"', INTEGER + '"3"' + UNQUOTE),
    ("retries", "-1", INTEGER + '"-1"; write a number such as 3: there is no endless retry'),
    ("retries", "+1", INTEGER + '"+1"'),
    ("retries", "1_0", INTEGER + '"1_0"'),
    ("retries", "٣", INTEGER + '"٣"'),
    ("retries", "[1]", INTEGER + "a list"),
    ("retries", "~", INTEGER + '"~"' + REMOVE),
    ("retries", "1000001", 'must be an integer <= 1,000,000, got "1000001"'),
    ("retries", "9" * 5000, f'must be an integer <= 1,000,000, got "{"9" * 59}…"'),
    ("retries", "0" * 5000 + "1000001", f'must be an integer <= 1,000,000, got "{"0" * 59}…"'),
    ("retry_delay_sec", "9" * 5000 + "d", TEN_YEARS + f'"{"9" * 59}…"'),
    ("retry_delay_sec", "-0.5", DELAY + '"-0.5"'),
    *(("retry_delay_sec", one, f'{DELAY}"{one}"') for one in ("-1s", "s90", "1h30", "500ms")),
    ("retry_delay_sec", '"1.5"', DELAY + '"1.5"' + UNQUOTE),
    ("timeout_sec", "0s", ABOVE + '"0s"'),
    ("retry_backoff", "0.5", 'must be a number >= 1, got "0.5"'),
    ("retry_backoff", "1001", 'must be a number <= 1,000, got "1001"'),
    ("retry_delay_sec", "1e400", TEN_YEARS + '"1e400"'),
    ("timeout_sec", "0", ABOVE + '"0"' + NO_LIMIT),
    ("timeout_sec", "1e-400", ABOVE + '"1e-400"'),
    ("start_timeout_sec", "-1", DELAY + '"-1"'),
    ("strict", "yes", TRUTH + '"yes"; write true'),
    ("strict", "True", TRUTH + '"True"; write true'),
    ("depends_on", "A", IDS + '"A"' + AS_ITEMS),
    ("retries", "", "is empty" + REMOVE),
]


@pytest.mark.parametrize(("field", "spelling", "value"), ACCEPTED)
@pytest.mark.parametrize("format_", ["yaml", "json"])
def test_a_field_accepts_its_own_spelling(
    field: str, spelling: str, value: object, format_: str
) -> None:
    """Integers, numbers and truth values have one spelling, the same in both formats (rule 2.5)."""
    text = f'{{"flow_id": "f", "steps": [{{"id": "A", "command": ["x"], "{field}": {spelling}}}]}}'
    read = getattr(parse_flow(text, format=format_).step("A"), field)  # type: ignore[arg-type]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(("field", "spelling", "message"), REFUSED)
def test_a_field_refuses_any_other_spelling(
    complaints: Complaints, field: str, spelling: str, message: str
) -> None:
    """Nothing is coerced, and the message shows what was found (rule 2.5)."""
    line, *more = complaints(f"flow_id: f\nsteps:\n- id: A\n  command: [x]\n  {field}: {spelling}")
    assert line.split(": ", 1)[1] == f"steps[0].{field}: {message}"
    assert not more


COMMANDS = [
    ("echo hi", LIST + '"echo hi"' + AS_LIST),
    ("[]", 'must not be empty: write a list such as ["echo", "hello"]'),
    ("['']", "names no program: its first word is empty"),
]


@pytest.mark.parametrize(("command", "message"), COMMANDS)
def test_a_command_is_a_list_of_words(complaints: Complaints, command: str, message: str) -> None:
    """A command is a non-empty list whose first word names a program (rule 2.2)."""
    lines = complaints(f"flow_id: f\nsteps:\n- id: A\n  command: {command}")
    assert lines == [f"f:4:12: steps[0].command: {message}"]


def test_an_empty_item_is_not_taken_for_an_empty_word(complaints: Complaints) -> None:
    """A dash without a value is an error; an empty word is written as one (rule 2.6)."""
    text = "flow_id: f\nsteps:\n- id: A\n  command:\n  - x\n  -\n  - ''\n"
    assert complaints(text) == [
        'f:6:4: steps[0].command[1]: is empty; write "" for empty text, or remove the item'
    ]


JSON_REFUSED = [
    ("command", ["sleep", 5], "command[1]: must be text, got 5; put it in quotes"),
    ("command", ["sleep", None], "command[1]: must be text, got null" + REMOVE),
    ("when", None, "when: must be text, got null" + REMOVE),
    ("retries", "3", "retries: " + INTEGER + '"3"' + UNQUOTE),
    ("retries", 3.5, "retries: " + INTEGER + "3.5"),
    ("strict", 1, "strict: " + TRUTH + "1; write true"),
]


@pytest.mark.parametrize(("field", "value", "message"), JSON_REFUSED)
def test_in_json_the_type_of_the_value_decides(
    complaints: Complaints, field: str, value: object, message: str
) -> None:
    """A JSON number is no text and a JSON string is no number (rule 2.5)."""
    step = {"id": "A", "command": ["x"], field: value}
    lines = complaints(json.dumps({"flow_id": "f", "steps": [step]}), "json")
    assert [line.partition(" ")[2] for line in lines] == [f"steps[0].{message}"]
