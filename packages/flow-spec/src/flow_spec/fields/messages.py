"""Which texts a flow may hold, and the sentences about values that it may not (rule 6.12).

Each `flaw_of_...` checks the characters and the length of a text, and returns what is wrong with
it, or None. The other functions word a mistake, and say what to write instead: the nearest known
word, the word of another system, or the same value spelled correctly. Sentences that need none of
this are worded where the mistake is found.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from flow_spec.documents.tree import Form, Node, NodePath, ScalarNode, SequenceNode, spelling
from flow_spec.errors import (
    QUOTED_LENGTH,
    Advised,
    Message,
    advised,
    closest_word,
    printable,
    quoted,
)

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]*")
"""The id of a step, as written."""

REFERENCE = re.compile(rf"{NAME.pattern}(?:@{NAME.pattern})*")
"""The id of a step, or of one of its copies (rule 10.3)."""

LONGEST_WORD = 128 * 1024 - 1
"""Bytes in one argument: Linux passes at most 128 KiB, including the final NUL."""

PRINTABLE_LINE = r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_line` allows, as a pattern of JSON Schema."""
PRINTABLE_LINES = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]*$"
"""What `flaw_of_prose` allows."""

_UNPRINTABLE = {
    "Cc": "control character",
    "Cs": "surrogate",
    "Zl": "line separator",
    "Zp": "paragraph separator",
}


def flaw_of_name(text: str, max_length: int) -> Message | None:
    """Check the id of a step."""
    if not NAME.fullmatch(text):
        fact = f"must be made of A-Z, a-z, 0-9, _ and -, and not begin with -, got {quoted(text)}"
        likely = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
        return advised(fact, f"write {likely}" if likely and len(text) <= QUOTED_LENGTH else None)
    return flaw_of_length(text, max_length)


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
        category = unicodedata.category(char)
        if category in _UNPRINTABLE and char not in allowed:
            return f"must be printable, got the {_UNPRINTABLE[category]} U+{ord(char):04X}"
    return None


_LONGEST_COMPARED = 128
_COMPARISONS = 50_000


@attrs.define(eq=False)
class Speller:
    """Finds the words that were probably meant in one file, within a budget for many mistakes.

    `budget` is the number of comparisons left.
    """

    budget: int = _COMPARISONS

    def closest(self, word: str, known: Collection[str]) -> str | None:
        """Return the known word that was probably meant, or None; also beyond the budget."""
        self.budget -= len(known)
        if len(word) > _LONGEST_COMPARED or self.budget < 0:
            return None
        return closest_word(word, known)

    def suggestion(self, word: str, known: Collection[str]) -> str | None:
        """Ask whether the closest known word was meant; return None if no word is close."""
        meant = self.closest(word, known)
        return None if meant is None else f"did you mean {quoted(meant)}?"


@cache
def foreign_words() -> dict[str, Any]:
    """Return the words of other systems, by section of `foreign_words.toml`, which is read once."""
    import tomllib

    return tomllib.loads(Path(__file__).with_name("foreign_words.toml").read_text("utf-8"))


def folded(word: str) -> str:
    """Return a word without its case, hyphens and underscores."""
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")


@cache
def _fields_meant() -> dict[str, list[tuple[str | None, str]]]:
    """Return the fields that each word may mean, with the advice; the likeliest is first."""
    meant: dict[str, list[tuple[str | None, str]]] = {}
    for entry in foreign_words()["field"]:
        for word in entry["words"].split():
            meant.setdefault(word, []).append((entry.get("name"), entry["advice"]))
    return meant


def advice_on_field(word: str, known: Collection[str]) -> str | None:
    """Return what to write instead of a key of other systems; `known` are the fields of the place.

    A field that exists elsewhere is not advised: `name` is `id` in a step and `flow_id` in a flow.
    """
    fitting = (
        advice
        for field, advice in _fields_meant().get(folded(word), ())
        if field is None or field in known
    )
    return next(fitting, None)


_LONGEST_SPELLED = 60
"""The longest text that a message spells correctly; nobody reads more."""

_SHELL = re.compile(r"[|&;<>$`*?~\"'()]|^(?:cd|export|source|set|if|for|while|\.) ")
_SIGNS = re.compile(r"[|&;<>$`*?]")
_BUILTINS = frozenset({
    *("cd", "source", ".", "export", "set", "unset", "alias", "umask", "ulimit", "read", "eval"),
    *("exec", "exit", "trap", "wait", "if", "for", "while", "until", "case", "function", "[["),
    *("type", "pushd", "popd", "local", "declare", "shift", "return", "shopt", ":", "!", "{", "("),
})  # fmt: skip
_PLAIN = re.compile(r"[\w./@%+=-][\w./@%+=:-]*")
_CLOCK = re.compile(r"(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)
_DURATION = re.compile(
    r"0*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([smhdw])"
    r"(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?|ks?|eeks?)?",
    re.ASCII | re.IGNORECASE,
)


NO_PROGRAM = "names no program: its first word is empty"
"""What is wrong with a command that begins with an empty word."""


def program_as_script(word: str) -> str | None:
    """Return what to write if only a shell understands the first word of a command, or None."""
    if " " in word.strip():
        return "write each word as an item of the list, or script: for text that a shell runs"
    if word in _BUILTINS or _SIGNS.search(word) or word.startswith("~"):
        return "only a shell knows that, and script: is run by one"
    return None


def as_yaml(text: str) -> str:
    """Spell a text for YAML, in quotes if it needs them."""
    if _PLAIN.fullmatch(text) and text != "-":
        return text
    return quoted(text) if "'" in text or not text.isprintable() else f"'{text}'"


def as_list(items: str, field: str, text: str | None) -> str | None:
    """Return how to write a list of `items` instead of a text, or None."""
    if items == "steps":
        return "write each step as an item that begins with a hyphen: - id: NAME"
    if text is None:
        return None
    if field == "command" and "\n" in text.strip():
        return "a command runs without a shell; write these lines below script: |"
    if len(text) > _LONGEST_SPELLED or not text.isprintable():
        return None
    if items == "words":
        return _as_words(field, text)
    names = text.replace(",", " ").split()
    return f"write [{', '.join(names)}]" if names and all(map(NAME.fullmatch, names)) else None


def _as_words(field: str, text: str) -> str | None:
    """Return how to write a command instead of one text, or None."""
    if field == "shell":
        return f"write [{text}, -c]" if NAME.fullmatch(text) else None
    words = f"[{', '.join(map(as_yaml, text.split()))}]"
    if field != "command":
        return f"write [sh, -c, {as_yaml(text)}]" if _SHELL.search(text) else f"write {words}"
    if _SHELL.search(text):
        return f"a command runs without a shell; write script: {as_yaml(text)}"
    return f"write {words}, or script: for text that a shell runs"


def as_duration(text: str) -> str | None:
    """Return how to write a duration such as `10 min` or `1:30:00`, or None."""
    if clock := _CLOCK.fullmatch(text):
        parts = zip(clock.groups(), "hms" if clock[3] else "ms", strict=False)
        spelled = "".join(f"{int(number)}{unit}" for number, unit in parts if int(number or 0))
    elif (found := _DURATION.fullmatch(text)) and float(found[1]):
        spelled = f"{found[1]}{found[2].lower()}"
    else:
        return None
    return f"write {spelled}" if spelled else None


_FILL_OR_REMOVE = "give it a value, or remove the key if it is optional"


def got(node: Node) -> str:
    """Return what stands in the file, for the end of a sentence."""
    match node:
        case ScalarNode(form=Form.TEXT | Form.BARE):
            return quoted(node.text)
        case ScalarNode():
            return quoted(node.text)[1:-1]
        case SequenceNode():
            return "a list"
        case _:
            return "a mapping"


def wrong_type(expected: str, node: Node) -> Message:
    """Say that a value is not what its field expects, and how to spell it if that is the flaw."""
    fix = None
    if isinstance(node, ScalarNode):
        if node.form is Form.TEXT:
            fix = "write it without quotes"
        elif node.text in {"null", "~"}:
            fix = _FILL_OR_REMOVE
        elif "true or false" in expected and node.text.lower() in _TRUTH:
            fix = f"write {_TRUTH[node.text.lower()]}"
    return advised(f"{expected}, got {got(node)}", fix)


_TRUTH = {
    **dict.fromkeys(("yes", "y", "on", "1", "true", "always"), "true"),
    **dict.fromkeys(("no", "n", "off", "0", "false", "never"), "false"),
}


def no_text(node: Node) -> Message:
    """Say that a value is not text, and what would make it text."""
    null = isinstance(node, ScalarNode) and node.form is Form.NULL
    remedy = _FILL_OR_REMOVE if null else "put it in quotes"
    return Advised(f"must be text, got {got(node)}", remedy)


def no_list(items: str, example: str, node: Node, field: str) -> Message:
    """Say that the value of a field is not a list, and how to write the value as one."""
    fact = f"must be a list of {items}, such as {example}; got {got(node)}"
    return advised(fact, as_list(items, field, spelling(node, Form.TEXT)))


def no_mapping(keys: Sequence[str], node: Node) -> Message:
    """Say that a value is not a mapping with these keys, and how to write it as one."""
    expected = f" with {' and '.join(keys)}" if keys else ""
    fix = None
    if "id" in keys and isinstance(node, ScalarNode):
        script = as_yaml(node.text.strip()[:_LONGEST_SPELLED])
        fix = f"write {{id: NAME, script: {script}}}"
    elif "flow_id" in keys and isinstance(node, SequenceNode):
        fix = "write flow_id: NAME and steps: before it, and indent the list below steps:"
    return advised(f"must be a mapping{expected}, got {got(node)}", fix)


def no_variables(node: Node) -> Message:
    """Say that a value is not a mapping of variables, and how to write it as one."""
    fact = f"must be a mapping of names to texts, such as {{LANG: C}}; got {got(node)}"
    first = node.items[0] if isinstance(node, SequenceNode) and node.items else node
    if not isinstance(first, ScalarNode):
        return advised(fact, "write {NAME: VALUE}" if first is not node else None)
    name, equals, value = first.text.partition("=")
    if not equals or not NAME.fullmatch(name) or len(value) > _LONGEST_SPELLED:
        return fact
    return Advised(fact, f"write {name}: {as_yaml(value)}")


def tag(node: Node) -> Message:
    """Say that a value has a tag, which only `when` may seem to have (rule 2.4)."""
    tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
    return Advised(
        f"YAML tags such as {printable(tag)} are not supported",
        "put text that begins with ! in quotes",
    )


def empty(node: Node, path: NodePath) -> Message:
    """Say that a key or an item of YAML has no value."""
    if node.anchor is not None:
        return Advised(
            f"is empty: &{node.anchor} begins a YAML anchor",
            "put text that begins with & in quotes",
        )
    if path and isinstance(path[-1], int):
        return Advised("is empty", 'write "" for empty text, or remove the item')
    return Advised("is empty", _FILL_OR_REMOVE)


def unknown_key(
    name: str, known: Collection[str], given: Collection[str], noun: str, speller: Speller
) -> Message:
    """Say that a key is unknown, and which known one was probably meant (rules 2.6, 6.12).

    Advice on words of other systems never names a key that is already `given`.
    """
    alike = next((key for key in known if folded(key) == folded(name)), None)
    others = [key for key in known if key not in given]
    if alike is None and (advice := advice_on_field(name, others)):
        return Advised("unknown key", advice)
    if meant := alike or speller.closest(name, known):
        return Advised("unknown key", f"did you mean {quoted(meant)}?")
    return Advised("unknown key", f"{noun} has {', '.join(known)}; keys of your own begin with x-")


def unknown_word(word: str, known: Sequence[str], speller: Speller) -> Message:
    """Say that a field does not know a word, and which word was probably meant."""
    expected = f"must be {', '.join(known[:-1])} or {known[-1]}"
    remedy = speller.suggestion(word, known)
    return Advised(expected, remedy) if remedy else f"{expected}, got {quoted(word)}"
