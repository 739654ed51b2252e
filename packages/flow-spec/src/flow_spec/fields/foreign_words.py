"""What the words of other tools are called here (rule 6.12).

`foreign_words.toml` is one flat table: a word of another tool, by its place, and what to write
instead. No value of the user's file goes into an answer. Only a file with a mistake imports this
module and reads the table.
"""

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from functools import cache
from pathlib import Path

from flow_spec.documents.tree import MappingNode, Node, ScalarNode
from flow_spec.errors import folded

type Answers = Mapping[str, Sequence[str]]
"""What to write for each word of a place; the likeliest answer is first."""


@cache
def foreign_words() -> Mapping[str, Answers]:
    """Return the table: for each place, the answers by folded word."""
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
