"""Which texts a flow may hold, and the sentences about values that it may not (rule 6.12).

Each `flaw_of_...` checks the characters and the length of a text, and returns what is wrong with
it, or None. The other functions word a mistake, and say what to write instead: the nearest known
word, or what `foreign_words` has for a word of another tool. No value of the file goes into advice.
Sentences that need none of this are worded where the mistake is found.

`foreign_words.toml` is one flat table: a word of another tool, by its place, and what to write
instead. Only a file with a mistake reads it.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from flow_spec.documents.tree import (
    Form,
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    SequenceNode,
    node_at,
)
from flow_spec.errors import Advised, Message, Speller, advised, folded, printable, quoted

LONGEST_WORD = 128 * 1024 - 1
"""Bytes in one argument: Linux passes at most 128 KiB, including the final NUL."""

PRINTABLE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_line` allows, as a pattern of JSON Schema."""
PLAIN_LINE = r"^[^\x00-\x1f\x7f-\xa0\u2018-\u201f\u2028\u2029]*$"
"""What `flaw_of_signs` allows as well."""
PRINTABLE_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_prose` allows."""


def flaw_of_signs(text: str) -> Advised | None:
    """Find what looks like a blank or a quotation mark and is none, in a text that has neither."""
    found = re.search("[\xa0\u2018-\u201f]", text)
    if found is None:
        return None
    if found[0] == "\xa0":
        return Advised("has a no-break space (U+00A0)", "write a plain space, or none")
    sign = f"U+{ord(found[0]):04X}"
    return Advised(f"has a curly quotation mark ({sign})", "write it straight, or leave it out")


def flaw_of_line(text: str, max_length: int) -> str | None:
    """Check printable text of 1 to `max_length` characters on one line."""
    if not text:
        return f"must have 1 to {max_length} characters, got none"
    return flaw_of_length(text, max_length) or _unprintable(text, allowed="")


def flaw_of_prose(text: str, max_length: int) -> str | None:
    """Check text of any number of lines, up to `max_length` characters."""
    return flaw_of_length(text, max_length) or _unprintable(text, allowed="\t\n\r")


def flaw_of_word(text: str, most_bytes: int) -> str | None:
    """Check that the operating system can pass `text` as an argument or in a variable."""
    if "\0" in text:
        return "must not contain the character U+0000, which no command can be passed"
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        surrogate = f"U+{ord(text[error.start]):04X}"
        return f"must not contain the surrogate {surrogate}, which is not a character"
    if size > most_bytes:
        return (
            f"must be at most {most_bytes:,} bytes, the longest argument that Linux passes to "
            f"a command, got {size:,}; pass the name of a file instead"
        )
    return None


def flaw_of_length(text: str, max_length: int) -> str | None:
    """Check that a text has at most `max_length` characters."""
    if len(text) > max_length:
        return f"must have at most {max_length:,} characters, got {len(text):,}"
    return None


def _unprintable(text: str, allowed: str) -> str | None:
    for char in text:
        if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} and char not in allowed:
            return f"must be printable, got U+{ord(char):04X}"
    return None


_SIGNS = re.compile(r"[|&;<>$`*?]")
_BUILTINS = frozenset({
    *("cd", "source", ".", "export", "set", "unset", "alias", "umask", "ulimit", "read", "eval"),
    *("exec", "exit", "trap", "wait", "if", "for", "while", "until", "case", "function", "[["),
    *("type", "pushd", "popd", "local", "declare", "shift", "return", "shopt", ":", "!", "{", "("),
})  # fmt: skip


def program_as_script(word: str) -> str | None:
    """Return what to write if only a shell understands the first word of a command, or None."""
    if " " in word.strip():
        return "write each word as an item of the list, or script: for text that a shell runs"
    if word in _BUILTINS or _SIGNS.search(word) or word.startswith("~"):
        return "only a shell knows that, and script: is run by one"
    return None


_FILL_OR_REMOVE = "give it a value, or remove the key if it is optional"


type Answers = Mapping[str, Sequence[str]]
"""What to write for each word of a place; the likeliest answer is first."""


@cache
def foreign_words() -> Mapping[str, Answers]:
    """Return the table: for each place, the answers by folded word."""
    import tomllib  # a file without a mistake does not pay for it

    text = Path(__file__).with_name("foreign_words.toml").read_text("utf-8")
    table: dict[str, dict[str, list[str]]] = {}
    for place, lines in tomllib.loads(text).items():
        answers = table.setdefault(place, {})
        for answer, words in lines.items():
            for word in words.split():
                for key in {word, folded(word)}:
                    answers.setdefault(key, []).append(answer)
    return table


def answers_to(word: str, place: str) -> Sequence[str]:
    """Return what to write for a word in a place such as "a condition", the likeliest first."""
    return foreign_words().get(place, {}).get(folded(word), ())


def answer_to_word(word: str, place: str) -> str | None:
    """Return the likeliest answer to a word in a place, or None."""
    return next(iter(answers_to(word, place)), None)


def answer_to_condition(text: str, *, in_finally: bool = False) -> str | None:
    """Return what to write for a condition that is one function or word of another tool."""
    word = text.strip("${} ").removesuffix("()")
    answer = answer_to_word(word, "a condition of finally") if in_finally else None
    return answer or answer_to_word(word, "a condition")


def answer_to_value(node: Node, place: str) -> str | None:
    """Return what to write for a value: a scalar, or a mapping that begins with a known key."""
    keys = [name for name, _ in node.texts()] if isinstance(node, MappingNode) else []
    word = node.text if isinstance(node, ScalarNode) else next(iter(keys), "")
    return answer_to_word(word, place)


def is_job(node: Node) -> bool:
    """Whether a mapping says what to run, in our words or in those of another tool."""
    keys = [name for name, _ in node.texts()] if isinstance(node, MappingNode) else []
    answers = (answer_to_word(name, "a step") or f"write {name}: for" for name in keys)
    return any(answer.startswith(("write command: for", "write script: for")) for answer in answers)


_FIELD = re.compile(r"write (\w+):")


def answer_to_key(
    name: str, noun: str, known: Collection[str], given: Mapping[str, Node]
) -> str | None:
    """Return what to write for a key of another tool in a record, or None.

    `noun` names the record, `known` are its fields, and `given` all its keys with their values. An
    answer that begins with a field counts if the record has that field, and it is not there yet.
    """
    places = _PLACES.get(noun, [noun])
    taken = None
    for answer in (one for place in places for one in answers_to(name, place)):
        found = _FIELD.match(answer)
        if found is None:
            return answer
        is_name = found[1] in {"id", "flow_id", "description"}
        if found[1] not in known or (is_name and not isinstance(given.get(name), ScalarNode)):
            continue
        if found[1] not in given:
            return answer
        taken = taken or f"write it in {found[1]}:, which is here already"
    return taken


_PLACES = {
    "a flow": ["a flow", "anywhere"],
    "a step": ["a step", "anywhere"],
    "defaults": ["defaults", "a step", "anywhere"],
}
"""The tables that hold the words of a record, if they are not only the one of its name."""


def place_of_key(name: str, noun: str) -> tuple[str, str] | None:
    """Return where a key of ours belongs that stands in another record, and what to write."""
    home, _, remedy = (answer_to_word(name, "places") or "").partition("; ")
    if not home or home.replace("the ", "a ") == noun or (home == "a step" and noun != "a flow"):
        return None
    return f"belongs to {home}", remedy


def got(node: Node) -> str:
    """Return what stands in the file, for the end of a sentence."""
    match node:
        case ScalarNode(form=Form.TEXT | Form.BARE):
            return quoted(node.text)
        case ScalarNode():
            return quoted(node.text)[1:-1]
        case SequenceNode():
            return "a list" if node.items else "an empty list"
        case MappingNode(entries=[]):
            return "an empty mapping"
        case _:
            return "a mapping"


_DIGITS = re.compile(r"[0-9.]+")
_LIMITS = frozenset({"max_parallel", "retry_max_delay_sec"})


def wrong_type(expected: str, node: Node, field: str = "", advice: str = "") -> Message:
    """Say that a value is not what its field expects, and how to spell it if that is the flaw."""
    if isinstance(node, ScalarNode) and node.text in {"null", "~"}:
        fix: str | None = _FILL_OR_REMOVE
    elif "true or false" in expected:
        fix = answer_to_value(node, "true or false")
    elif isinstance(node, ScalarNode) and node.form is Form.TEXT and _DIGITS.fullmatch(node.text):
        fix = "write it without quotes"
    else:
        fix = advice or answer_to_value(node, "a limit" if field in _LIMITS else field)
    return advised(f"{expected}, got {got(node)}", fix)


def no_text(node: Node, instead: str, *, is_filled: bool) -> Message:
    """Say that a value is not text, and what would make it text.

    `instead` is what to write for a list or a mapping. Text that `is_filled` may hold names such as
    `${{ NAME }}`.
    """
    fact = f"must be text, got {got(node)}"
    if isinstance(node, ScalarNode):
        return Advised(fact, _FILL_OR_REMOVE if node.form is Form.NULL else "put it in quotes")
    if instead:
        return Advised(fact, instead)
    if isinstance(node, MappingNode) and any(
        isinstance(key, MappingNode) for key, _ in node.entries
    ):
        name = "'${{ NAME }}' in quotes, with a name that params: has" if is_filled else "a name"
        return Advised(f"{fact}: to YAML, {{{{ begins a mapping", f"write {name}")
    fix = answer_to_value(node, "a text")
    return Advised(fact, fix or 'write a single text, in quotes if it has ": "')


AS_LIST = {
    "steps": "write each step as an item that begins with a hyphen: - id: NAME",
    "step ids": "write each id as an item of the list; a condition over steps is when:",
    "values": "write a list such as [a, b], {glob: PATTERN} for file names, {lines: FILE} for the "
    "lines of a file, or {split: TEXT} for the parts of a text",
    "command": "write its words as a list, or script: for text that a shell runs",
    "only_if": "write the words of a command as a list; a condition over steps is when:",
    "produces": "write its paths as a list; for what a program prints, write > FILE in a script",
    "shell": "write the text to run as script:; shell: is for another shell than bash, such as "
    "[python3, -c]",
}
"""What to write in place of something else than a list, by the field, or by what it holds."""


def no_mapping(noun: str, keys: Sequence[str], node: Node) -> Message:
    """Say that a value is not a mapping with these keys, and what to write in place of it."""
    expected = f" with {' and '.join(keys)}" if keys else ""
    return advised(f"must be a mapping{expected}, got {got(node)}", _AS_MAPPING.get(noun))


_AS_MAPPING = {
    "a flow": "write flow_id: NAME, and each job as an item of steps:",
    "a step": "write {id: NAME, script: TEXT}",
    "defaults": "write defaults: {retries: 2}, fields that all steps have",
    "concurrency": "write {group: NAME}, whose runs take turns, or {on_conflict: wait}; "
    "max_parallel: limits the steps of a run",
}
"""What to write in place of something else than a record."""


def no_name(held: str | None) -> Message:
    """Say that what stands between `${{` and `}}` is not a name, and what to write."""
    if held is None:
        return Advised("this ${{ is never closed by }}", "write ${{ NAME }}")
    fact = f"between ${{{{ and }}}} must be one name, got {quoted(held)}"
    advice = answer_to_word(held.partition(".")[0], "a name")
    return Advised(fact, advice or "write ${{ NAME }}, or $${{ for the three characters themselves")


def tag(node: Node) -> Message:
    """Say that a value has a tag, which only `when` may seem to have (rule 2.4)."""
    tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
    fix = "put text that begins with ! in quotes"
    if tag.startswith("!!"):
        fix = f"remove {printable(tag)}: each field knows the type of its value"
    elif not isinstance(node, ScalarNode):
        fix = f"remove {printable(tag)}; to repeat a part, name it &NAME and write *NAME"
    return Advised(f"YAML tags such as {printable(tag)} are not supported", fix)


def empty(node: Node, path: NodePath) -> Message:
    """Say that a key or an item of YAML has no value."""
    if node.anchor is not None:
        return Advised(
            f"is empty: &{node.anchor} begins a YAML anchor",
            "put text that begins with & in quotes",
        )
    if path and isinstance(path[-1], int):
        return Advised("is empty", 'write "" for empty text, or remove the item')
    if path and path[-1] in {"id", "flow_id"}:
        return Advised("is empty", f"write {path[-1]}: NAME")
    if path[-2:-1] == ("env",):
        return Advised("is empty", f'write {path[-1]}: "" for empty text')
    return Advised("is empty", _FILL_OR_REMOVE)


_LEAST_ALIKE = 0.75
"""How alike an unknown key and a field must be; typing seldom goes wrong at the first letter."""

_FEW_KEYS = 8
"""A message lists all keys of a record that has no more."""


def unknown_key(
    name: str, known: Collection[str], given: Mapping[str, Node], noun: str, speller: Speller
) -> Advised:
    """Say that a key is unknown, and what to write instead (rules 2.6 and 6.12).

    `given` has all keys of the record with their values.
    """
    fact, value = "unknown key", given[name]
    if (alike := next((one for one in known if folded(one) == folded(name)), None)) is not None:
        return Advised(fact, f"did you mean {quoted(alike)}?")
    if noun == "a flow" and node_at(value, ("flow_id",)) is not None:
        return Advised(fact, "remove it, and the indentation of flow_id: and steps: below it")
    answer = answer_to_key(name, noun, known, given)
    if noun == "a flow" and is_job(value) and "finally:" not in (answer or ""):
        meant = speller.suggestion(name, {"finally"} if "steps" in given else ())
        return Advised(fact, f"{meant} {AS_LIST['steps']}" if meant else _AS_ITEM)
    if answer is not None:
        if answer.startswith("write when:") and isinstance(value, ScalarNode):
            answer = answer_to_condition(value.text) or answer
        return Advised(fact, answer)
    if belongs := place_of_key(name, noun):
        return Advised(*belongs)
    likely = [one for one in known if one[0] == name[:1].lower()]
    fix = speller.suggestion(name, likely, least_alike=_LEAST_ALIKE)
    return flaw_of_signs(name) or Advised(fact, fix or _possible(known, given, noun, value))


_AS_ITEM = "write each job as an item of steps:, with an id: and a command: or script:"


def _possible(known: Collection[str], given: Mapping[str, Node], noun: str, value: Node) -> str:
    is_command = isinstance(value, ScalarNode) and " " in value.text.strip()  # as in a Procfile
    are_jobs = "steps" not in given and (is_command or isinstance(value, SequenceNode))
    if noun == "a flow" and value.anchor is not None:
        fix = "begin its name with x-, as every key of your own"
    elif noun == "a flow" and (are_jobs or isinstance(value, MappingNode)):
        fix = _AS_ITEM
    elif noun == "a step" and given.keys().isdisjoint({"command", "script"}):
        fix = "a step runs a command: write command: or script:"
        fix = fix if "id" in given else "write id: for its name, and command: or script:"
    elif len(known) <= _FEW_KEYS:
        fix = f"{noun} has {', '.join(known)}; keys of your own begin with x-"
    else:
        fix = "`orchesjob-flow help flow-files` lists the fields; keys of your own begin with x-"
    return fix


def unknown_word(word: str, known: Sequence[str], speller: Speller, field: str = "") -> Message:
    """Say that a field does not know a word, and which word was probably meant."""
    if len(known) > _FEW_KEYS:
        fix = speller.suggestion(word, known) or f"write one such as {known[0]}"
        return Advised(f"unknown word {quoted(word)}", fix)
    words = " or ".join(filter(None, [", ".join(known[:-1]), known[-1]]))
    expected = f"must be {words}, got {quoted(word)}"
    return advised(expected, answer_to_word(word, field) or speller.suggestion(word, known))
