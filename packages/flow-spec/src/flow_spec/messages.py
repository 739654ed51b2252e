"""The words of the problems that a flow file can have.

Each function returns a sentence. Where a problem is belongs to `reading`. What can be wrong with a
text, and the bounds of a number, are worded in `texts` and `kinds`.
"""

from collections.abc import Collection, Sequence

from flow_spec.document import MAX_VALUES, Form, Node, Path, Scalar, written
from flow_spec.document import Sequence as SequenceNode
from flow_spec.errors import printable, quoted
from flow_spec.predicates import advice_on_name
from flow_spec.spelling import Speller

_FILL_OR_REMOVE = "; give it a value, or remove the key if it is optional"


def got(node: Node) -> str:
    """Return what stands in the file, for the end of a sentence."""
    match node:
        case Scalar(form=Form.TEXT | Form.BARE):
            return quoted(node.text)
        case Scalar():
            return quoted(node.text)[1:-1]
        case SequenceNode():
            return "a list"
        case _:
            return "a mapping"


def wrong_type(expected: str, node: Node) -> str:
    """Say that a value is not what its field expects, and how to spell it if that is the flaw."""
    fix = ""
    if isinstance(node, Scalar):
        if node.form is Form.TEXT:
            fix = "; write it without quotes"
        elif node.text in {"null", "~"}:
            fix = _FILL_OR_REMOVE
    return f"{expected}, got {got(node)}{fix}"


def no_seconds(node: Node, *, zero: bool) -> str:
    """Say that a value is no span of time that its field takes."""
    least = "0 or more" if zero else "more than 0"
    expected = f"must be a number of seconds, {least}, or a duration such as 90s, 15m or 1h30m"
    if (
        isinstance(node, Scalar)
        and node.form is Form.TEXT
        and not node.text.replace(".", "").isdecimal()
    ):
        return f"{expected}, got {got(node)}"
    return wrong_type(expected, node)


def too_many_seconds(most: float, node: Node) -> str:
    """Say that a span of time is longer than any that a flow may give."""
    return f"must be at most {most:,.0f} seconds, which are ten years, got {got(node)}"


def no_text(node: Node) -> str:
    """Say that a value is not text, and what would make it text."""
    null = isinstance(node, Scalar) and node.form is Form.NULL
    return f"must be text, got {got(node)}{_FILL_OR_REMOVE if null else '; put it in quotes'}"


def no_list(items: str, example: str, node: Node) -> str:
    """Say that a value is not a list of these items."""
    return f"must be a list of {items}, such as {example}; got {got(node)}"


def empty_list(example: str) -> str:
    """Say that a list has too few items."""
    return f"must not be empty: write a list such as {example}"


def listed_twice(value: object) -> str:
    """Say that a list has a value twice that it may have once."""
    return f"{quoted(str(value))} is listed twice"


def no_mapping(keys: Sequence[str], node: Node) -> str:
    """Say that a value is not a mapping with these keys."""
    expected = f" with {' and '.join(keys)}" if keys else ""
    return f"must be a mapping{expected}, got {got(node)}"


def no_variables(node: Node) -> str:
    """Say that a value is not a mapping of variables."""
    return f"must be a mapping of names to texts, such as {{LANG: C}}; got {got(node)}"


def no_params(node: Node) -> str:
    """Say that a value is not a mapping of parameters."""
    return f"must be a mapping of names to defaults, such as {{SHOP: berlin}}; got {got(node)}"


def empty_param() -> str:
    """Say how a parameter without a default is written, and one whose default is empty."""
    return 'is empty; write {} if every run must give it a value, or "" for an empty default'


def no_value(name: str, description: str | None) -> str:
    """Say that a parameter has no value, and what it is for."""
    about = "" if description is None else f" ({printable(description.strip())})"
    return f"has no value: give it one with --param {name}=VALUE{about}"


def variable_is_param() -> str:
    """Say that a variable has the name of a parameter, which every command has as a variable."""
    return "is a parameter, which every command sees under this name; give the variable another one"


def no_program() -> str:
    """Say that a command begins with an empty word."""
    return "names no program: its first word is empty"


def tag(node: Node) -> str:
    """Say that a value has a tag, which only `when` may seem to have (rule 2.4)."""
    tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
    return (
        f"YAML tags such as {printable(tag)} are not supported; "
        "put text that begins with ! in quotes"
    )


def empty(node: Node, path: Path) -> str:
    """Say that a key or an item of YAML has no value."""
    if node.anchor is not None:
        return (
            f"is empty: &{node.anchor} begins a YAML anchor; put text that begins with & in quotes"
        )
    if path and isinstance(path[-1], int):
        return 'is empty; write "" for empty text, or remove the item'
    return f"is empty{_FILL_OR_REMOVE}"


def missing_key(noun: str, *names: str) -> str:
    """Say that a required key is missing, or one of several."""
    return f"{noun} needs the key {' or '.join(map(quoted, names))}"


def unknown_key(name: str, known: Collection[str], noun: str, speller: Speller) -> str:
    """Say that a key is none of the known ones, and what was probably meant (rule 2.6)."""
    if meant := speller.closest(name, known):
        fix = f"did you mean {quoted(meant)}?"
    else:
        fix = f"{noun} has {', '.join(known)}; keys of your own begin with x-"
    return f"unknown key; {fix}"


def unknown_word(word: str, known: Sequence[str], speller: Speller) -> str:
    """Say that a text is none of the words that a field knows, and what was probably meant."""
    meant = speller.closest(word, known)
    fix = f"; did you mean {quoted(meant)}?" if meant else f", got {quoted(word)}"
    return f"must be {', '.join(known[:-1])} or {known[-1]}{fix}"


def wrong_merge(value: Node) -> str:
    """Say that a merge key has a value of which nothing can be merged."""
    if value.tag is not None:
        return tag(value)
    return (
        f'must be a mapping, such as the alias in "<<: *base", or a list of these, got {got(value)}'
    )


def second_merge_key() -> str:
    """Say that a mapping has two merge keys."""
    return 'duplicate key; merge several mappings by one list: "<<: [*first, *second]"'


def no_script(node: Node) -> str:
    """Say that a script is no text."""
    return f'must be one text, such as the lines after "script: |", got {got(node)}'


def folded_script() -> str:
    """Say that YAML would make one line of a script."""
    return 'YAML would join these lines to one; begin the text with |, as in "script: |"'


def blank_script() -> str:
    """Say that a script does nothing."""
    return "must not be blank"


def script_names_interpreter(line: str) -> str:
    """Say how a script says which program runs it."""
    return (
        f"begins with {quoted(line)}, which only files can; name the program in the key "
        '"shell", such as shell: [python3, -c]'
    )


def script_and_command() -> str:
    """Say that a step has two things to run."""
    return 'a step has "command" or "script", not both'


def shell_without_script() -> str:
    """Say that a step names a shell for nothing."""
    return 'only a "script" has a shell; a "command" runs without one'


def no_default(reason: str) -> str:
    """Say that a field of a step cannot have a default."""
    return f"cannot have a default: {reason}"


def key_is_no_text(key: Node) -> str:
    """Say that a list or a mapping stands in the place of a key."""
    return f"a key must be text, got {got(key)}"


def duplicate_key(first: Node) -> str:
    """Say that a key stands in its mapping a second time."""
    place = "" if first.line is None else f", first given on line {first.line}"
    return f"duplicate key{place}"


def duplicate_id(first: Path) -> str:
    """Say that an id is that of an earlier step."""
    return f"duplicate id: {written(first)} already has it"


def waits_for_finally(name: str) -> str:
    """Say that a step waits for one that begins after it (rule 10.1)."""
    return (
        f"{quoted(name)} is a step of finally, which begins only when every step of steps has "
        "ended; move one of the two into the other list"
    )


def unknown_step(name: str, steps: Collection[str], speller: Speller, *, in_finally: bool) -> str:
    """Say that a name in `when` or `depends_on` is no step of the flow (rule 2.6)."""
    sentence = f"unknown step {quoted(name)}"
    if meant := speller.closest(name, steps):
        return f"{sentence}; did you mean {quoted(meant)}?"
    advice = advice_on_name(name, in_finally=in_finally)
    return f"{sentence}; {advice}" if advice else sentence


def asks_too_often() -> str:
    """Say that the conditions of `finally` stand for more than a file may hold (rule 2.8)."""
    return (
        f"the conditions of finally ask about all steps more than {MAX_VALUES:,} times in all; "
        "list in depends_on the steps that this one is about"
    )


def two_meanings(exit_code: int, other_list: str) -> str:
    """Say that an exit code is given two outcomes."""
    return f"{exit_code} is already in {other_list}; an exit code can have only one meaning"


def cycle(walk: Sequence[str]) -> str:
    """Say that the steps wait for each other, the last being the first again (rule 3.6)."""
    return f"dependency cycle detected: {' -> '.join(walk)}"
