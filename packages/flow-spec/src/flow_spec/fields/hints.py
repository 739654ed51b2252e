"""What to write instead of a wrong word: the nearest known word, or the word of another system.

Nothing here runs before a file has a mistake. Each function returns the end of a message, or None.
"""

import re
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from flow_spec.errors import closest_word, quoted
from flow_spec.fields.text_rules import NAME

_LONGEST = 128
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
        if len(word) > _LONGEST or self.budget < 0:
            return None
        return closest_word(word, known)


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


LONGEST = 60
"""The longest text that is spelled again in a message; nobody reads more."""

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
    if len(text) > LONGEST or not text.isprintable():
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
