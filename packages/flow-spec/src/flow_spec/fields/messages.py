"""The sentences about what can be wrong with a flow file; those about a `foreach` come last.

Each function returns a sentence; `reading` adds where it applies. Flaws of texts are worded in
`texts`, bounds of numbers in `kinds`.
"""

from collections.abc import Collection, Sequence
from itertools import islice

from flow_spec import durations
from flow_spec.documents.tree import (
    MAX_VALUES,
    Form,
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    SequenceNode,
    written,
)
from flow_spec.errors import Advised, Message, advised, printable, quoted
from flow_spec.fields import hints
from flow_spec.fields.hints import Speller, advice_on_field, folded
from flow_spec.fields.predicates import advice_on_name
from flow_spec.fields.text_rules import NAME

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


def _text_of(node: Node) -> str | None:
    """Return the text of a node that is text, or may be; None if it is none."""
    is_text = isinstance(node, ScalarNode) and node.form in {Form.BARE, Form.TEXT}
    return node.text if is_text and isinstance(node, ScalarNode) else None


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


def no_seconds(node: Node, *, zero: bool) -> Message:
    """Say that a value is no span of time that its field takes."""
    least = "0 or more" if zero else "more than 0"
    expected = f"must be a number of seconds, {least}, or a duration such as {durations.EXAMPLES}"
    if likely := hints.as_duration(_text_of(node) or ""):
        return Advised(f"{expected}, got {got(node)}", likely)
    if (
        isinstance(node, ScalarNode)
        and node.form is Form.TEXT
        and not node.text.replace(".", "").isdecimal()
    ):
        return f"{expected}, got {got(node)}"
    return wrong_type(expected, node)


def too_many_seconds(most: float, node: Node) -> str:
    """Say that a span of time is longer than any that a flow may give."""
    return f"must be at most {most:,.0f} seconds, which are ten years, got {got(node)}"


def no_text(node: Node) -> Message:
    """Say that a value is not text, and what would make it text."""
    null = isinstance(node, ScalarNode) and node.form is Form.NULL
    return Advised(
        f"must be text, got {got(node)}", _FILL_OR_REMOVE if null else "put it in quotes"
    )


def no_list(items: str, example: str, node: Node, field: str) -> Message:
    """Say that the value of a field is not a list, and how what stands there would be one."""
    return advised(
        f"must be a list of {items}, such as {example}; got {got(node)}",
        hints.as_list(items, field, _text_of(node)),
    )


def empty_list(example: str) -> Message:
    """Say that a list has too few items."""
    return f"must not be empty: write a list such as {example}"


def listed_twice(value: object) -> str:
    """Say that a list has a value twice that it may have once."""
    return f"{quoted(str(value))} is listed twice"


def no_mapping(keys: Sequence[str], node: Node) -> Message:
    """Say that a value is not a mapping with these keys, and how it would be one."""
    expected = f" with {' and '.join(keys)}" if keys else ""
    fix = None
    if "id" in keys and isinstance(node, ScalarNode):
        script = hints.as_yaml(node.text.strip()[: hints.LONGEST])
        fix = f"write {{id: NAME, script: {script}}}"
    elif "flow_id" in keys and isinstance(node, SequenceNode):
        fix = "write flow_id: NAME and steps: before it, and indent the list below steps:"
    return advised(f"must be a mapping{expected}, got {got(node)}", fix)


def no_variables(node: Node) -> Message:
    """Say that a value is not a mapping of variables, and how it would be one."""
    fact = f"must be a mapping of names to texts, such as {{LANG: C}}; got {got(node)}"
    first = node.items[0] if isinstance(node, SequenceNode) and node.items else node
    if not isinstance(first, ScalarNode):
        return advised(fact, "write {NAME: VALUE}" if first is not node else None)
    name, equals, value = first.text.partition("=")
    if not equals or not NAME.fullmatch(name) or len(value) > hints.LONGEST:
        return fact
    return Advised(fact, f"write {name}: {hints.as_yaml(value)}")


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


def missing_key(noun: str, *names: str) -> str:
    """Say that a required key is missing, or one of several."""
    return f"{noun} needs the key {' or '.join(map(quoted, names))}"


def unknown_key(
    name: str, known: Collection[str], given: Collection[str], noun: str, speller: Speller
) -> Message:
    """Say that a key is none of the known ones, and what was probably meant (rules 2.6, 6.12).

    Those that are `given` as well are not what it means.
    """
    alike = next((key for key in known if folded(key) == folded(name)), None)
    others = [key for key in known if key not in given]
    if alike is None and (advice := advice_on_field(name, others)):
        return Advised("unknown key", advice)
    if meant := alike or speller.closest(name, known):
        return Advised("unknown key", f"did you mean {quoted(meant)}?")
    return Advised("unknown key", f"{noun} has {', '.join(known)}; keys of your own begin with x-")


def unknown_word(word: str, known: Sequence[str], speller: Speller) -> Message:
    """Say that a text is none of the words that a field knows, and what was probably meant."""
    meant = speller.closest(word, known)
    expected = f"must be {', '.join(known[:-1])} or {known[-1]}"
    if meant:
        return Advised(expected, f"did you mean {quoted(meant)}?")
    return f"{expected}, got {quoted(word)}"


def wrong_merge(value: Node) -> Message:
    """Say that a merge key has a value of which nothing can be merged."""
    if value.tag is not None:
        return tag(value)
    return (
        f'must be a mapping, such as the alias in "<<: *base", or a list of these, got {got(value)}'
    )


def second_merge_key() -> Message:
    """Say that a mapping has two merge keys."""
    return Advised("duplicate key", 'merge several mappings by one list: "<<: [*first, *second]"')


def no_script(node: Node) -> str:
    """Say that a script is no text."""
    return f'must be one text, such as the lines after "script: |", got {got(node)}'


def folded_script() -> Message:
    """Say that YAML would make one line of a script."""
    return Advised("YAML would join these lines to one", 'begin the text with |, as in "script: |"')


def blank_script() -> str:
    """Say that a script does nothing."""
    return "must not be blank"


def script_names_interpreter(line: str) -> Message:
    """Say how a script says which program runs it."""
    return Advised(
        f"begins with {quoted(line)}, which only files can",
        'name the program in the key "shell", such as shell: [python3, -c]',
    )


def script_and_command() -> str:
    """Say that a step has two things to run."""
    return 'a step has "command" or "script", not both'


def shell_without_script() -> Message:
    """Say that a step names a shell for nothing."""
    return Advised(
        'only a "script" has a shell', 'a "command" runs without one; for a shell write "script"'
    )


def no_default(reason: str) -> str:
    """Say that a field of a step cannot have a default."""
    return f"cannot have a default: {reason}"


def x_airflow_of_flow() -> Message:
    """Say that what tasks are told on Airflow stands where it would have no effect."""
    return Advised(
        "belongs to a step",
        "write it in defaults for all steps; what concerns the DAG is for the DAG file to say",
    )


def key_is_no_text(key: Node) -> str:
    """Say that a list or a mapping stands in the place of a key."""
    return f"a key must be text, got {got(key)}"


def duplicate_key(first: Node) -> str:
    """Say that a key stands in its mapping a second time."""
    place = "" if first.line is None else f", first given on line {first.line}"
    return f"duplicate key{place}"


def duplicate_id(name: str, first: NodePath, line: int | None) -> Message:
    """Say that an id is that of an earlier step, and where that is."""
    place = "" if line is None else f" on line {line}"
    return Advised(
        f"duplicate id {quoted(name)}: {written(first)}{place} already has it",
        "give one of the two steps another id",
    )


def waits_for_finally(name: str) -> Message:
    """Say that a step waits for one that begins after it (rule 10.1)."""
    return Advised(
        f"{quoted(name)} is a step of finally, which begins only when every step of steps has "
        "ended",
        "move one of the two into the other list",
    )


def unknown_step(
    name: str, steps: Collection[str], speller: Speller, *, in_finally: bool
) -> Message:
    """Say that a name in `when` or `depends_on` is no step of the flow (rule 2.6)."""
    sentence = f"unknown step {quoted(name)}"
    if advice := advice_on_name(name, in_finally=in_finally):
        return Advised(sentence, advice)
    if meant := speller.closest(name, steps):
        return Advised(sentence, f"did you mean {quoted(meant)}?")
    known = list(islice(steps, MOST_NAMED + 1))
    if not known or len(known) > MOST_NAMED:
        return sentence
    return Advised(sentence, f"the steps are {', '.join(map(printable, known))}")


MOST_NAMED = 6


def asks_too_often() -> Message:
    """Say that the conditions of `finally` stand for more than a file may hold (rule 2.8)."""
    return Advised(
        f"the conditions of finally ask about all steps more than {MAX_VALUES:,} times in all",
        "list in depends_on the steps that this one is about",
    )


def two_meanings(exit_code: int, other_list: str) -> str:
    """Say that an exit code is given two outcomes."""
    return f"{exit_code} is already in {other_list}; an exit code can have only one meaning"


def cycle(walk: Sequence[str]) -> str:
    """Say that the steps wait for each other, the last being the first again (rule 3.6)."""
    return f"dependency cycle detected: {' -> '.join(walk)}"


def no_foreach(node: Node) -> str:
    """Say that a value does not say for what the steps are repeated."""
    return (
        "must be a mapping of names to lists, such as {SHOP: [berlin, paris]}, or a list of "
        f"mappings; got {_got_collection(node)}"
    )


def _got_collection(node: Node) -> str:
    empty = (isinstance(node, SequenceNode) and not node.items) or (
        isinstance(node, MappingNode) and not node.entries
    )
    return f"an empty {got(node).split()[-1]}" if empty else got(node)


def no_values(node: Node) -> str:
    """Say that a mapping is none that stands for a list."""
    return (
        "must be a list of values, such as [berlin, paris], or {lines: FILE} or {glob: PATTERN}; "
        f"got {_got_collection(node)}"
    )


def list_without_name(origin: str, value: ScalarNode) -> str:
    """Say that the values of a file have no name."""
    return (
        f"gives its values no name; write foreach: {{NAME: {{{origin}: {got(value)}}}}}, with a "
        "name of your own"
    )


def not_known_by_now(name: str) -> str:
    """Say that a name has no value where a list is read."""
    return (
        f"a list is read before its run begins, and ${{{{ {name} }}}} has no value then; "
        "only ${{ FLOW_DIR }} and parameters have"
    )


def wrong_in_path(name: str, flaw: str) -> str:
    """Say what is wrong with the value of a parameter that the path of a list needs."""
    return f"needs the parameter {name}, which {flaw}"


def name_is_param() -> str:
    """Say that a name of a block is that of a parameter."""
    return "is a parameter, which every step has under this name; give the values another one"


def no_row(node: Node) -> str:
    """Say that an item of a list of mappings is none."""
    return f"must be a mapping of names to values, such as {{GO: '1.21'}}; got {got(node)}"


def repeated_row(first: NodePath) -> str:
    """Say that a row has the values of an earlier one."""
    return f"has the same values as {written(first)}: the steps would run twice for them"


def gives_twice(value: str) -> str:
    """Say that a file gives a value twice."""
    return f"gives {quoted(value)} twice; the steps would run twice for it"


def wrong_value(value: str, flaw: str) -> str:
    """Say that a value that a file gives is none that a process can be passed."""
    return f"gives {quoted(value)}, which {flaw}"


def too_many_copies(most: int) -> str:
    """Say that there are more copies than a flow may have steps."""
    return (
        f"stands for more than {most:,} steps, the most that a flow with foreach can have; "
        "split the flow, or let one step do several values"
    )


def too_many_values(most: int) -> str:
    """Say that the copies have too many values altogether."""
    return f"has more than {most:,} values, counted for each copy; repeat the steps for fewer names"


def too_large_copies(most: int) -> str:
    """Say that the steps of all copies are too much to read."""
    return (
        f"stands for copies with more than {most // 1024**2} MiB of text; shorten what they share, "
        "or pass the names of files instead of values"
    )


def field_beside_foreach(name: str) -> str:
    """Say that a field of a step stands where only its block can be."""
    return f"foreach repeats the steps in its own list: write {quoted(name)} of a step in there"


def foreach_not_here() -> str:
    """Say that a block stands where none can be."""
    return "only an item of the flow's own steps can be a foreach: not one of finally, nor in one"


def hides_value(name: str) -> str:
    """Say that a step sets what its copies are to have from their block."""
    return f"would hide the value of each copy: foreach gives {quoted(name)} already"


def has_no_copies(step_id: str) -> str:
    """Say that the copy of a step is named that is in no block."""
    return f"step {quoted(step_id)} is in no foreach and has no copies; write its id alone"


def unknown_copy(step_id: str, label: str, labels: Collection[str], speller: Speller) -> Message:
    """Say that a step has copies, but none with this label."""
    sentence = f"step {quoted(step_id)} has no copy {quoted(label)}"
    if meant := speller.closest(label, labels):
        return Advised(sentence, f"did you mean {quoted(f'{step_id}@{meant}')}?")
    if not labels:
        return f"{sentence}; it has none at all"
    first = ", ".join(f"{step_id}@{label}" for label in islice(labels, _SHOWN))
    return f"{sentence}; it has {first}{', ...' if len(labels) > _SHOWN else ''}"


_SHOWN = 3
"""Copies that a message names."""
