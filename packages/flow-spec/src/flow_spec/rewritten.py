"""How a text that stands in a flow file would be spelled right, where that can be told.

Each function returns what to write, for the end of a message, or None.
"""

import re

from flow_spec.errors import quoted
from flow_spec.texts import NAME

LONGEST = 60
"""Characters of a text that is spelled anew; nobody reads more."""

_SHELL = re.compile(r"[|&;<>$`*?~\"'()]|^(?:cd|export|source|set|if|for|while|\.) ")
_SIGNS = re.compile(r"[|&;<>$`*?]")
_BUILTINS = frozenset(
    (
        *(
            "cd",
            "source",
            ".",
            "export",
            "set",
            "unset",
            "alias",
            "umask",
            "ulimit",
            "read",
            "eval",
        ),
        *("exec", "exit", "trap", "wait", "if", "for", "while", "until", "case", "function", "[["),
        *(
            "type",
            "pushd",
            "popd",
            "local",
            "declare",
            "shift",
            "return",
            "shopt",
            ":",
            "!",
            "{",
            "(",
        ),
    )
)
_PLAIN = re.compile(r"[\w./@%+=-][\w./@%+=:-]*")
_CLOCK = re.compile(r"(\d{1,4}):(\d\d)(?::(\d\d))?", re.ASCII)
_DURATION = re.compile(
    r"(\d{1,9})\s*(s|m|h|d)(?:ecs?|econds?|ins?|inutes?|rs?|ours?|ays?)?", re.ASCII | re.IGNORECASE
)


def program_as_script(word: str) -> str | None:
    """Return what to do about the first word of a command that only a shell understands."""
    if " " in word.strip():
        return "write each word as an item of the list, or script: for text that a shell runs"
    if word in _BUILTINS or _SIGNS.search(word) or word.startswith("~"):
        return "only a shell knows that, and script: is run by one"
    return None


def as_yaml(text: str) -> str:
    """Spell a text for YAML, in quotes only where it needs them."""
    if _PLAIN.fullmatch(text) and text != "-":
        return text
    return quoted(text) if "'" in text or not text.isprintable() else f"'{text}'"


def as_list(items: str, field: str, text: str | None) -> str | None:
    """Return how a list of such items is written, where the field has this text, if any."""
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
    """Return how a command is written that was written as one text."""
    if field == "shell":
        return f"write [{text}, -c]" if NAME.fullmatch(text) else None
    words = f"[{', '.join(map(as_yaml, text.split()))}]"
    if field != "command":
        return f"write [sh, -c, {as_yaml(text)}]" if _SHELL.search(text) else f"write {words}"
    if _SHELL.search(text):
        return f"a command runs without a shell; write script: {as_yaml(text)}"
    return f"write {words}, or script: for text that a shell runs"


def as_duration(text: str) -> str | None:
    """Return how a duration is spelled that is spelled as elsewhere: `10 min`, `1:30:00`."""
    if clock := _CLOCK.fullmatch(text):
        parts = zip(clock.groups(), "hms" if clock[3] else "ms", strict=False)
        spelled = "".join(f"{int(number)}{unit}" for number, unit in parts if int(number or 0))
    elif (found := _DURATION.fullmatch(text)) and int(found[1]):
        spelled = f"{int(found[1])}{found[2].lower()}"
    else:
        return None
    return f"write {spelled}" if spelled else None
