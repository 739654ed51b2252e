"""Which texts a flow may hold, and the sentences about values that it may not (rule 6.12).

Each `flaw_of_...` checks the characters and the length of a text, and returns what is wrong with
it, or None. The other functions word a mistake, and say what to write instead: the nearest known
word, the word of another system, or the same value spelled correctly. Sentences that need none of
this are worded where the mistake is found.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

import attrs

from flow_spec.documents.tree import (
    Form,
    MappingNode,
    Node,
    NodePath,
    ScalarNode,
    SequenceNode,
    spelling,
)
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


_LONGEST_SPELLED = 60
"""The longest text that a message spells correctly; nobody reads more."""

_SHELL = re.compile(r"[|&;<>$`*?~\"'()]|^(?:cd|export|source|set|if|for|while|\.) ")
_SIGNS = re.compile(r"[|&;<>$`*?]")
_BUILTINS = frozenset({
    *("cd", "source", ".", "export", "set", "unset", "alias", "umask", "ulimit", "read", "eval"),
    *("exec", "exit", "trap", "wait", "if", "for", "while", "until", "case", "function", "[["),
    *("type", "pushd", "popd", "local", "declare", "shift", "return", "shopt", ":", "!", "{", "("),
})  # fmt: skip


NO_PROGRAM = "names no program: its first word is empty"
"""What is wrong with a command that begins with an empty word."""


def program_as_script(word: str) -> str | None:
    """Return what to write if only a shell understands the first word of a command, or None."""
    if " " in word.strip():
        return "write each word as an item of the list, or script: for text that a shell runs"
    if word in _BUILTINS or _SIGNS.search(word) or word.startswith("~"):
        return "only a shell knows that, and script: is run by one"
    return None


_RANGE = re.compile(r"([0-9]{1,6})(?:\.\.|-)([0-9]{1,6})")
_LONGEST_RANGE = 20


def as_list(items: str, field: str, node: Node) -> str | None:
    """Return how to write a list of `items` instead of another value, or None."""
    from flow_spec.fields import conversions

    text = spelling(node, Form.TEXT)
    if isinstance(node, ScalarNode) and text is None:
        return None  # a number of JSON, or null
    match items:
        case "steps":
            fix: str | None = _as_steps(node)
        case "step ids":
            fix = _as_ids(text, node)
        case "exit codes" if text in {"any", "all", "*"}:
            fix = "write allow_failure: true, if the run may succeed with any of them"
        case "exit codes":
            codes = conversions.codes_of(node)
            fix = codes and f"write {codes}"
        case "words" if text is not None:
            fix = _as_words(field, text)
        case "words" if field == "only_if":
            fix = "write only_if: [test, -f, data.csv], a command that decides"
        case "words":
            script = conversions.script_of(node)
            fix = script and f"write script: {script}"
        case "values" if text is not None and (ends := _RANGE.fullmatch(text)):
            first, last = map(int, ends.groups())
            numbers = range(first, min(last, first + _LONGEST_RANGE) + 1)
            fix = f"write [{', '.join(map(str, numbers))}]"
        case "values" if text is not None and re.search(r"[*?]", text):
            fix = f"write {{glob: {conversions.as_yaml(text)}}}"
        case _:
            names = [] if text is None else text.replace(",", " ").split()
            is_list = names and all(map(NAME.fullmatch, names))
            fix = f"write [{', '.join(names)}]" if is_list else None
    return fix


def _as_ids(text: str | None, node: Node) -> str | None:
    """Return how to write a list of ids, or a condition, instead of another value."""
    from flow_spec.fields import conversions

    names = conversions.names_of(node)
    if names == ["all"] or text == "*":
        return "write the id of each of them, such as [download, validate]"
    if names is not None:
        return f"write [{', '.join(names)}]"
    return None if text is None else f"write when: {text} in place of depends_on:"


def _as_steps(node: Node) -> str:
    """Return how to write a list of steps instead of another value."""
    from flow_spec.fields import conversions, translation

    name = None
    if isinstance(node, MappingNode):
        entries = dict(node.texts())
        first = entries.get("id") or next((key for key, _ in node.entries), None)
        name = conversions.id_for(first.text) if isinstance(first, ScalarNode) else None
    spelled = translation.steps_of(node)
    if isinstance(node, ScalarNode):
        step = translation.step_of(" ".join(node.text.split()[:2]), node)
        spelled = step and f"[{step}]"
    if spelled is not None:
        return f"write {spelled}"
    return f"write each step as an item that begins with a hyphen: - id: {name or 'NAME'}"


def _as_words(field: str, text: str) -> str | None:
    """Return how to write a command instead of one text, or None."""
    from flow_spec.fields import conversions, translation

    if field == "command" and "\n" in text.strip():
        fix = "a command runs without a shell; write these lines below script: |"
        return f"{fix} in place of command:"
    if len(text) > _LONGEST_SPELLED or not text.isprintable() or not text.strip():
        return None
    spelled = conversions.as_yaml(text)
    words = f"[{', '.join(map(conversions.as_yaml, text.split()))}]"
    if field == "shell":
        fix = translation.shell_for(text) or f"write script: {spelled} in place of shell:"
    elif field == "command" and _SHELL.search(text):
        fix = f"a command runs without a shell; write script: {spelled} in place of command:"
    elif field == "command":
        fix = f"write {words}, or script: {spelled} for a shell"
    elif text in {"true", "yes", "always"}:
        fix = "remove it: without it, the step runs"
    elif _ASKED.fullmatch(text):
        fix = f"write when: {text} in place of {field}:"
    else:
        in_shell = f"[sh, -c, {spelled}]" if _SHELL.search(text) else words
        fix = f"write only_if: {translation.gate_of(text) or in_shell}{translation.set_for(text)}"
    return fix


_ASKED = re.compile(r"!?[\w-]+\.(?:succeeded|failed|skipped|passed|finished)")


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


def wrong_type(expected: str, node: Node, field: str = "") -> Message:
    """Say that a value is not what its field expects, and how to spell it if that is the flaw."""
    from flow_spec.fields import conversions

    fix = None
    text = node.text if isinstance(node, ScalarNode) else None
    if text in {"null", "~"}:
        fix = _FILL_OR_REMOVE
    elif "true or false" in expected:
        codes = None if isinstance(node, ScalarNode) else conversions.codes_beside_0_of(node)
        fix = f"write {conversions.truth_for(text or '') or 'true or false'}"
        if codes:
            fix = f"write success_exit_codes: {codes} in place of {field}:"
    elif text is not None and text.lower() in _NO_LIMIT and field in _LIMITS:
        fix = "remove it: without it, there is no limit"
    elif isinstance(node, ScalarNode) and node.form is Form.TEXT:
        fix = "write it without quotes"
    elif field in {"retries", "max_parallel"} and (spelled := conversions.retries_of(node)):
        fix = f"write {spelled if text is not None else f'{field}: {spelled}'}"
    elif field == "retries" and text in {"-1", "always", "forever", "infinite", "unlimited"}:
        fix = "write a number such as 3: there is no endless retry"
    elif field.isdecimal() and (codes := conversions.codes_of(node)) != f"[{text}]":
        fix = codes and f"write {codes[1:-1]}"
    elif text is not None and "seconds" not in expected:
        found = re.fullmatch(r"([0-9]+)(?:\.0*|\s*[a-z]+)", text)
        fix = f"write {found[1]}" if found else None
    return advised(f"{expected}, got {got(node)}", fix)


_LIMITS = frozenset({"max_parallel", "timeout_sec", "retry_max_delay_sec"})
_NO_LIMIT = frozenset({
    *("0", "-1", "none", "never", "no", "infinite", "infinity", "inf", "unlimited", "off", "auto"),
    *("false", "max", "all", "forever"),
})  # fmt: skip


def no_text(node: Node, name: str = "NAME", *, is_filled: bool = False) -> Message:
    """Say that the value of a name is not text, and what would make it text.

    Text that `is_filled` may hold names such as `${{ NAME }}`.
    """
    from flow_spec.fields import conversions

    fact, fix = f"must be text, got {got(node)}", None
    texts = conversions.texts_of(node) if isinstance(node, SequenceNode) else None
    if isinstance(node, ScalarNode):
        fix = _FILL_OR_REMOVE if node.form is Form.NULL else "put it in quotes"
    elif texts:
        sign = ":" if name.endswith("PATH") else " "
        fix = f"write {conversions.as_yaml(sign.join(texts))}"
    elif braced := _braced(node):
        fact = f"{fact}: to YAML, {{{{ begins a mapping"
        whole = f"'${{{{ {braced} }}}}' in quotes, and params: {{{braced}: {{}}}} beside steps:"
        fix = f"write {whole if is_filled else braced}"
        if name.isupper() and (set_to := conversions.EXPRESSIONS.get(braced)):
            fix = f"remove it, and set it in the script: export {name}={set_to}"
    elif isinstance(node, MappingNode):
        fix = _mapping_as_text([*node.texts()], name)
    return advised(fact, fix)


def _mapping_as_text(pairs: Sequence[tuple[str, Node]], name: str) -> str:
    """Return how to write one text instead of a mapping."""
    from flow_spec.fields import conversions

    key, value = pairs[0] if pairs else ("", None)
    if any("secret" in f"{key} {conversions.spelling_of(value)}".lower() for key, value in pairs):
        return f"remove it, and write env_file: secrets.env, a file with {name}=VALUE"
    if len(pairs) > 1 or not isinstance(value, ScalarNode):
        return "write a single text"
    if key in {"value", "default"}:
        return f"write {conversions.as_yaml(value.text)}"
    if key in {"sh", "cmd", "run", "command"}:
        return f"remove it, and set it in the script: export {name}=$({value.text})"
    return f"put it in quotes: {conversions.as_yaml(f'{key}: {value.text}')}"


def _braced(node: Node) -> str | None:
    """Return the name in `{{ NAME }}`, which YAML reads as a mapping, or None."""
    key = node.entries[0][0] if isinstance(node, MappingNode) and node.entries else None
    inner = key.entries[0][0] if isinstance(key, MappingNode) and key.entries else None
    if not isinstance(inner, ScalarNode):
        return None
    return inner.text.rpartition(".")[2].strip() or None


def no_list(items: str, example: str, node: Node, field: str) -> Message:
    """Say that the value of a field is not a list, and how to write the value as one."""
    fact = f"must be a list of {items}, such as {example}; got {got(node)}"
    fix = as_list(items, field, node)
    return advised(fact, fix and _whole(fix, field, node))


def _whole(fix: str, field: str, node: Node) -> str:
    """Return a remedy that begins with the field, if the value stands on lines of its own."""
    begins = fix.startswith(("write [", "write {")) or fix[6:7].isdecimal()
    if isinstance(node, ScalarNode) or not begins:
        return fix
    return fix.replace("write", f"write {field}:", 1)


def no_mapping(noun: str, keys: Sequence[str], node: Node) -> Message:
    """Say that a value is not a mapping with these keys, and how to write it as one."""
    from flow_spec.fields import conversions, translation

    expected = f" with {' and '.join(keys)}" if keys else ""
    fix = None
    if isinstance(node, ScalarNode):
        text = node.text.strip()[:_LONGEST_SPELLED]
        if noun == "a step":
            name = conversions.id_for(" ".join(text.split()[:2])) or "NAME"
            fix = f"write {{id: {name}, script: {conversions.as_yaml(text)}}}"
        elif noun == "concurrency":
            fix = translation.group_for(text).replace("{", "concurrency: {", 1)
        elif noun == "defaults":
            fix = "write defaults: {retries: 2}, fields that all steps have"
        elif noun == "a parameter":
            fix = f"write {{default: {conversions.as_yaml(text)}}}"
        elif noun == "a flow":
            fix = "`orchesjob-flow example` prints a flow"
    elif noun == "a step" and isinstance(node, SequenceNode):
        fix = "write its items as steps of their own; without depends_on: they run side by side"
    elif noun == "defaults":
        fix = "write defaults: {retries: 2}, fields that all steps have"
    elif noun == "concurrency" and (names := conversions.texts_of(node)):
        fix = translation.group_for(names[0]).replace("{", "concurrency: {", 1)
    elif noun == "a flow" and _has_own_keys(node):
        fix = "remove the hyphens before flow_id: and steps:"
    elif noun == "a flow":
        fix = "write flow_id: NAME and steps: before it, and indent the list below steps:"
        if translation.is_playbook(node):
            fix = translation.playbook_of(node)
    return advised(f"must be a mapping{expected}, got {got(node)}", fix)


def _has_own_keys(node: Node) -> bool:
    """Whether a list has the keys of a flow as its items."""
    from flow_spec.fields import conversions

    items = node.items if isinstance(node, SequenceNode) else []
    return any(conversions.member_of(item, "flowid", "steps") for item in items)


def spelled(node: Node) -> str:
    """Return a value on one line of YAML, or dots if it is long."""
    from flow_spec.fields import conversions

    return conversions.spelling_of(node) or "[...]"


def no_script(node: Node) -> Message:
    """Say that the text of a script is not one text, and how to write it as one."""
    from flow_spec.fields import conversions

    fact = f'must be a single text, such as the lines after "script: |", got {got(node)}'
    spelled = conversions.script_of(node)
    return Advised(fact, f"write script: {spelled or '| and the lines below it'}")


def no_condition(node: Node) -> Message:
    """Say that the value of `when` is not text, and how to write it as a condition."""
    from flow_spec.fields import conversions, translation

    if isinstance(node, ScalarNode):
        return no_text(node)
    texts = conversions.texts_of(node)
    branch = conversions.member_of(node, "branch", "branches")
    if isinstance(branch, ScalarNode):
        fix = translation.question_of(f"github.ref == '{branch.text}'")
        return Advised("must be text, got a mapping", f"write only_if: {fix} in place of when:")
    if isinstance(node, MappingNode):
        asked = {name: value.text for name, value in node.texts() if isinstance(value, ScalarNode)}
        spelled = " && ".join(f"{name}.{word}" for name, word in asked.items() if word in _OUTCOMES)
        if spelled:
            return Advised("must be text, got a mapping", f"write when: {spelled}")
    if not isinstance(node, SequenceNode) or not texts:
        fix = "write one condition over steps, such as when: build.failed"
        return Advised(f"must be text, got {got(node)}", fix)
    joined = " && ".join(f"({text})" if "||" in text else text for text in texts)
    others = f", or depends_on: [{', '.join(texts)}]" if all(map(NAME.fullmatch, texts)) else ""
    return Advised("must be text, got a list", f"write when: {joined}{others}")


_OUTCOMES = frozenset({"succeeded", "failed", "skipped", "passed", "finished", "cancelled"})


def no_name(held: str | None, known: Collection[str]) -> Message:
    """Say that what stands between `${{` and `}}` is not a name, and what to write."""
    from flow_spec.fields import translation

    if held is None:
        return Advised("this ${{ is never closed by }}", "write ${{ NAME }}")
    fact = f"between ${{{{ and }}}} must be one name, got {quoted(held)}"
    advice = translation.expression_for(held, known)
    return Advised(fact, advice or "write ${{ NAME }}, or $${{ for the three characters themselves")


def no_reference(node: Node) -> Message:
    """Say that an item of `depends_on` is not an id, and how to write it as one."""
    from flow_spec.fields import conversions

    names = conversions.names_of(SequenceNode([node]))
    if isinstance(node, ScalarNode) or names is None:
        return no_text(node)
    return Advised(f"must be the id of a step, got {got(node)}", f"write {names[0]}")


def no_lists(node: MappingNode) -> tuple[str, Message] | None:
    """Return the key of a `foreach` that is no name of a list, and what to write, or None.

    A comma between values begins a new key where brackets are missing.
    """
    from flow_spec.fields import conversions

    empty = [
        name for name, value in node.texts() if isinstance(value, ScalarNode) and not value.text
    ]
    entries = dict(node.texts())
    first = next(iter(entries.items()), None)
    if (
        empty
        and first is not None
        and isinstance(first[1], ScalarNode)
        and len(entries) > len(empty)
    ):
        values = ", ".join(map(conversions.as_yaml, (first[1].text, *empty)))
        fact = f"must be a list of values, such as [berlin, paris]; got {got(first[1])}"
        return first[0], Advised(fact, f"write {first[0]}: [{values}]")
    for name in ("exclude", "include"):
        if isinstance(entries.get(name), SequenceNode | MappingNode):
            rows = conversions.rows_of(node)
            items = entries[name]
            if rows and (isinstance(items, MappingNode) or conversions.texts_of(items) is None):
                fact = f"a foreach has no {name}"
                return name, Advised(fact, f"write each combination as a row: foreach: {rows}")
    return None


def no_variables(node: Node, field: str) -> Message:
    """Say that a value is not a mapping of variables, and how to write it as one."""
    from flow_spec.fields import conversions

    fact = f"must be a mapping of names to texts, such as {{LANG: C}}; got {got(node)}"
    spelled = conversions.variables_of(node)
    return advised(fact, spelled and _whole(f"write {spelled}", field, node))


def no_params(node: Node) -> Message:
    """Say that a value is not a mapping of parameters, and how to write it as one."""
    from flow_spec.fields import conversions

    fact = f"must be a mapping of names to defaults, such as {{SHOP: berlin}}; got {got(node)}"
    spelled = conversions.params_of(node)
    return advised(fact, spelled and _whole(f"write {spelled}", "params", node))


def tag(node: Node) -> Message:
    """Say that a value has a tag, which only `when` may seem to have (rule 2.4)."""
    from flow_spec.fields import conversions

    tag = str(node.tag).replace("tag:yaml.org,2002:", "!!")
    fix = "put text that begins with ! in quotes"
    if tag.startswith("!!"):
        fix = f"remove {printable(tag)}: each field knows the type of its value"
    elif tag.strip("!").lower() in {"vault", "secret", "env", "env_var"}:
        fix = "remove it: write env_file: FILE, a file with NAME=VALUE lines"
    elif not isinstance(node, ScalarNode):
        fix = f"remove {printable(tag)}; to repeat a part, name it &NAME and write *NAME"
    elif len(node.text) <= _LONGEST_SPELLED and not tag.endswith(","):
        fix += f": {conversions.as_yaml(f'{tag} {node.text}'.strip())}"
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


def missing_key(noun: str, name: str, example: object, given: Mapping[str, Node]) -> Message:
    """Say that a record needs a key, and what to add; `example` is a value of it."""
    from flow_spec.fields import conversions

    fact = f"{noun} needs the key {quoted(name)}"
    if name == "id":
        runs = given.get("script") or given.get("command")
        lines = None if runs is None else conversions.script_of(runs)
        words = re.findall(r"[A-Za-z0-9_]+", lines or "")[:2]
        return Advised(fact, f"add id: {'-'.join(words) or 'NAME'}")
    spelled = "NAME" if name == "flow_id" else conversions.as_flow_style(example)
    return Advised(fact, f"add {name}: {spelled}")


def is_condition(name: str) -> bool:
    """Tell whether a key of another system holds a condition, in one text."""
    from flow_spec.fields import conversions

    return conversions.folded(name) in {"if", "condition", "cond", "triggerrule", "runif", "only"}


def field_meant(
    name: str, known: Collection[str], given: Mapping[str, Node], noun: str, speller: Speller
) -> str | None:
    """Return the field that an unknown key stands for, so that this field is not missing."""
    from flow_spec.fields import conversions, translation

    speller.budget -= len(given)
    if speller.budget < 0:
        return None
    alike = next(
        (key for key in known if conversions.folded(key) == conversions.folded(name)), None
    )
    if noun == "a flow" and conversions.member_of(given[name], "steps", "flowid") is not None:
        return "steps"
    meaning = translation.meaning_of(name, noun, known, given)
    if alike is None and meaning is not None:
        return meaning.field
    if alike is None and translation.misplaced(name, None, noun):
        return None
    return alike or speller.closest(name, known) or ("command" if noun == "a step" else None)


def unknown_key(
    name: str, known: Collection[str], given: Mapping[str, Node], noun: str, speller: Speller
) -> Message:
    """Say that a key is unknown, and what to write instead (rules 2.6, 6.12).

    `given` has all keys of the record with their values. Advice on words of other systems never
    names a key that is there already.
    """
    from flow_spec.fields import conversions, translation

    speller.budget -= len(given)
    value = given[name]
    alike = next(
        (key for key in known if conversions.folded(key) == conversions.folded(name)), None
    )
    if noun == "a flow" and conversions.member_of(value, "steps", "flowid") is not None:
        return Advised("unknown key", "remove this line, and the indentation of the lines below it")
    if alike is None and speller.budget >= 0:
        if meaning := translation.meaning_of(name, noun, known, given):
            return Advised("unknown key", translation.with_id(meaning, noun, given))
        if belongs := translation.misplaced(name, value, noun):
            return Advised(*belongs)
    if meant := alike or speller.closest(name, known):
        return Advised("unknown key", f"did you mean {quoted(meant)}?")
    if noun == "a step" and len(given) == 1 and (step := translation.step_of(name, value)):
        return Advised("unknown key", f"write {step}")
    fix = "remove it; keys of your own begin with x-"
    if conversions.is_id(name) and len(name) <= QUOTED_LENGTH:
        fix = f"remove it, or rename it to x-{name}; keys that begin with x- are yours"
    if noun == "a step" and speller.budget >= 0 and not _has_command(name, known, given):
        fix = "write command: [make, build], or script: 'make build'; a step runs a command"
    elif len(known) <= _FEW_KEYS:
        fix = f"{noun} has {', '.join(known)}; keys of your own begin with x-"
    return Advised("unknown key", fix)


def _has_command(name: str, known: Collection[str], given: Mapping[str, Node]) -> bool:
    """Whether a step has something that it runs, perhaps under another unknown key."""
    from flow_spec.fields import translation

    runs = {"command", "script"}
    others = [other for other in given if other != name][:_MOST_KEYS]
    meant = [translation.meaning_of(other, "a step", known, given) for other in others]
    return not runs.isdisjoint(given) or any(one and one.field in runs for one in meant)


_MOST_KEYS = 10
"""A message looks at no more keys beside its own."""

_FEW_KEYS = 8
"""A message lists all keys of a record that has no more."""


def unknown_word(word: str, known: Sequence[str], speller: Speller, field: str = "") -> Message:
    """Say that a field does not know a word, and which word was probably meant."""
    from flow_spec.fields import translation

    if len(known) > _FEW_KEYS:
        fix = speller.suggestion(word, known) or f"write one such as {known[0]}"
        return Advised(f"unknown word {quoted(word)}", fix)
    expected = f"must be {', '.join(known[:-1])} or {known[-1]}, got {quoted(word)}"
    meant = translation.value_for(field, word)
    if meant is not None:
        return Advised(expected, f"write {meant}")
    return advised(expected, speller.suggestion(word, known))


def as_duration(node: Node, field: str) -> str | None:
    """Return how to write a duration such as `10 min` or `1:30:00`, or None."""
    from flow_spec.fields import conversions

    text = spelling(node, Form.TEXT)
    spelled = conversions.duration_of(node) if text is None else conversions.as_duration(text)
    is_number = isinstance(node, ScalarNode) and text is None
    return None if spelled is None or is_number else _whole(f"write {spelled}", field, node)
