"""What is found in the texts that shells read: above all, failures that can be lost (rule 11.2).

The parser is tree-sitter's, with its grammar of bash. It is loaded for the first text. A text that
it does not understand, or that is very long, is left unread.
"""

import re
from collections.abc import Iterable, Iterator, Sequence, Set
from fnmatch import fnmatchcase
from functools import cache, lru_cache
from itertools import pairwise
from posixpath import normpath
from typing import TYPE_CHECKING, NamedTuple, Self

import attrs

from flow_spec.warnings.shell import KNOWN, NAME_IN_WORD, name_of, texts_for_shells

if TYPE_CHECKING:
    from tree_sitter import Node, Parser

_LONGEST = 16 * 1024
"""Bytes of the longest text that is read; people write shorter ones."""

_SSH = "ssh"
_ASSIGNMENTS = frozenset({"variable_assignment", "variable_assignments"})
_COMMANDS = _ASSIGNMENTS | {"command", "declaration_command", "unset_command", "test_command"}
_SUBSTITUTIONS = frozenset({"command_substitution", "process_substitution"})
_LISTS = frozenset({
    *("list", "pipeline", "negated_command", "redirected_statement", "heredoc_redirect"),
})  # fmt: skip
_MISREAD = frozenset({"{", "}", "then", "do", "done", "fi"})
"""What the grammar takes for programs where it is mistaken."""
_NAME = re.compile(NAME_IN_WORD.pattern.encode())
_WRITES = re.compile(rb"(?:1|&)?>>?\|?(?!&|\s*/dev/(?:stderr|tty|null))")


@cache
def _parser() -> "Parser":
    import tree_sitter_bash
    from tree_sitter import Language, Parser

    return Parser(Language(tree_sitter_bash.language()))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "replace")


@lru_cache(maxsize=8)
def _root(source: bytes) -> "Node | None":
    """Return the root of a text, or None if it is too long or not understood."""
    if len(source) > _LONGEST:
        return None
    root = _parser().parse(_NAME.sub(lambda found: b"_" * len(found[0]), source)).root_node
    is_misread = root.has_error or not _MISREAD.isdisjoint(map(_name, _below(root)))
    return None if is_misread else root


def _nodes(source: bytes, closed: Set[str] = frozenset()) -> Iterator["Node"]:
    """Yield the nodes of a text, if it is read, but none below those of the types in `closed`."""
    root = _root(source)
    return iter(()) if root is None else _below(root, closed)


def _below(node: "Node", closed: Set[str] = frozenset()) -> Iterator["Node"]:
    """Yield the nodes below one in the order of the text."""
    todo = node.children[::-1]
    while todo:
        one = todo.pop()
        yield one
        if one.type not in closed:
            todo += one.children[::-1]


def _text(node: "Node") -> str:
    return (node.text or b"").decode()


def _name(node: "Node") -> str:
    """Return the name of the program that a simple command runs, or nothing."""
    name = node.child_by_field_name("name")
    return name_of(_text(name)) if name is not None and name.type == "command_name" else ""


def _words_of(node: "Node") -> list[tuple[int, str]]:
    """Return the words of a simple command, and where each begins, without quotes around it."""
    words = []
    for one in (*node.children_by_field_name("name"), *node.children_by_field_name("argument")):
        text = _text(one)
        is_quoted = one.type in {"raw_string", "string"} and "\\" not in text
        words.append((one.start_byte + 1, text[1:-1]) if is_quoted else (one.start_byte, text))
    return words


def _texts_in(words: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """Yield the place of each text that a shell like sh reads, and that shell with its options.

    ssh joins its words for a shell that is not known: a shell among them gets no text of its own.
    """
    if _SSH in map(name_of, words[:-2]):
        yield len(words) - 1, (_SSH,)
        return
    for place, shell in texts_for_shells(words):
        if name_of(shell[0]) in KNOWN["like_sh"]:
            yield place, shell


def only_sets(words: Sequence[str]) -> bool:
    """Whether a command only sets something that ends with it, such as variables."""
    if "activate" in map(name_of, words[:2]):
        return True
    texts = (_nodes(_encoded(words[place]), _SUBSTITUTIONS) for place, _ in _texts_in(words))
    commands = [node for nodes in texts for node in nodes if node.type in _COMMANDS]
    return bool(commands) and all(
        node.type not in {"command", "test_command"} or _name(node) in KNOWN["settings"]
        for node in commands
    )


def has_several_commands(words: Sequence[str]) -> bool:
    """Whether a shell reads a text here that has more than one command."""
    texts = (_nodes(_encoded(words[place])) for place, _ in _texts_in(words))
    return any(sum(node.type in _COMMANDS for node in nodes) > 1 for nodes in texts)


def joined_commands(text: str, joins: Sequence[int]) -> tuple[int, int] | None:
    """Find where YAML has joined two lines of a shell's text that look like two commands.

    `joins` are the places of the blanks between lines. The result spans the line break.
    """
    for begin, at in pairwise([0, *joins]) if len(text) <= _LONGEST else ():
        line, following = text[begin:at].split(), text[at:].split()
        is_quoted = any(text.count(quote, 0, at) % 2 for quote in "\"'")
        if line and following and not is_quoted and _are_apart(line, following[0]):
            return at - len(line[-1]), text.index(following[0], at) + len(following[0])
    return None


def _are_apart(line: Sequence[str], following: str) -> bool:
    """Whether the words of a line and the first of the next look like two commands."""
    last = line[-1]
    if last == "\\" or any(word.startswith("#") for word in line):
        return True  # the next line is swallowed
    if (
        last in KNOWN["before_commands"]
        or last[-1] in ";&|({"
        or not re.match(r"[\w./]", following)
    ):
        return False
    is_setting = "=" in following and "=" not in last
    return not KNOWN["alone"].isdisjoint((line[0], following)) or following == line[0] or is_setting


def writes(words: Sequence[str], path: str) -> bool:
    """Whether a command seems to write a file, or a file that matches a pattern."""
    text = "\n".join((" ".join(words), *words))
    targets = (found[1].strip("\"'") for found in _TARGET.finditer(text))
    return any(fnmatchcase(normpath(target), normpath(path)) for target in targets)


_TARGET = re.compile(r"(?:>\s*|\b(?:tee|cp|mv|ln|rsync|scp) (?:[^|;&\n]* )?)([^\s<>|;&]+)")


_STRICT = "write script: without shell:, or run the text by bash -euo pipefail -c"
_OVER_SSH = "write the text as one word after the host, and begin it with: set -eo pipefail"


class Reason(NamedTuple):
    """Why a failure can be lost, and what to write instead."""

    why: str
    remedy: str = _STRICT


_GOES_ON = Reason("it goes on with the next")
_PIPE = Reason("only the last command of a pipe counts")
_OUTPUT = Reason(
    "only its output is used", 'run it before, as in OUTPUT=$(COMMAND), and use "$OUTPUT"'
)
_INSIDE = Reason("-e does not hold inside $(...)", "join the commands there by &&")
_AND = Reason(
    "-e does not stop at a failure before &&, and more follows",
    "write each command on a line of its own",
)
_NOT = Reason("-e does not stop at !, and more follows", "write if COMMAND; then exit 1; fi")
_ASKED = Reason(
    "-e does not hold in a function or a group before || or &&, or in a condition",
    "call it on a line of its own",
)
_BACKGROUND = Reason(
    "nothing waits for its exit code", "make it a step of its own, or wait for it: wait PID"
)
_NO = Reason(
    "without output, the search says no, which skips the step",
    'write OUTPUT=$(COMMAND) || exit 2, and ask "$OUTPUT"',
)


class LostFailure(NamedTuple):
    """A command whose exit status can be lost: where it is in which word, and why."""

    place: int
    begin: int
    end: int
    reason: Reason


def lost_failure(words: Sequence[str], *, is_gate: bool = False) -> LostFailure | None:
    """Find the first command in a shell's text whose exit status can be lost.

    At the gate, `only_if`, a failure must not look like a no.
    """
    for place, shell in _texts_in(words):
        source = _encoded(words[place])
        if (found := _Search(source, shell, is_gate=is_gate).first()) is not None:
            begin, end = (len(source[:at].decode()) for at in found[:2])
            reason = found[2]
            if shell[0] == _SSH and reason.remedy == _STRICT:
                reason = reason._replace(remedy=_OVER_SSH)
            return LostFailure(place, begin, end, reason)
    return None


class _Place(NamedTuple):
    """What becomes of the exit status of a statement.

    `ends` says that it is the status of the text, or that somebody asks for it; `stops`, that `-e`
    ends the shell if it is a failure. Otherwise it is lost, for this reason. `is_used` says that a
    program gets the output, `is_condition` that a no is no failure, and `is_child` that it is run
    by a process of its own.
    """

    ends: bool
    stops: bool
    reason: Reason = _GOES_ON
    is_used: bool = False
    is_condition: bool = False
    is_child: bool = False

    @property
    def is_lost(self) -> bool:
        return not self.ends and not self.stops

    def of_child(self) -> Self:
        """Return the place of the last statement in a process of its own."""
        return self._replace(ends=not self.is_lost, is_child=True)

    def asked(self, reason: Reason = _ASKED, *, ends: bool = True) -> Self:
        """Return the place of something at which `-e` does not stop."""
        return self._replace(ends=ends, stops=False, reason=reason if self.stops else self.reason)

    def lost(self, reason: Reason) -> Self:
        """Return the place of something whose exit status is lost in any case."""
        return type(self)(False, False, reason, is_used=self.is_used, is_child=True)


@attrs.define
class _Pipeline:
    """Commands joined by pipes, what is before them, and their redirections."""

    operator: str = ""
    negated_at: int | None = None
    commands: list["Node"] = attrs.Factory(list)
    redirects: list["Node"] = attrs.Factory(list)

    @property
    def name(self) -> str:
        return _name(self.commands[-1]) if self.commands else ""

    def is_question(self) -> bool:
        last = self.commands[-1] if self.commands else None
        if last is None or last.type == "test_command" or self.name in KNOWN["questions"]:
            return True
        words = [word for _, word in _words_of(last)]
        return "-q" in words or "--quiet" in words or (last.text or b"").startswith(b"((")


_STOPS = re.compile(r"-[a-zA-Z]*e[a-zA-Z]*|errexit")
_CHECKS = re.compile(rb"\bset [-+]\w*(?:e|o errexit)|\btrap\b.*\bERR\b")
_PIPEFAIL = re.compile(rb"pipefail|PIPESTATUS")
_ASKS = re.compile(rb"\$\?|PIPESTATUS")
_WAITS = re.compile(rb"\$!|\bwait -|\bjobs\b")
_LIKES_NOTHING = re.compile(rb"-z|!|\"\"|''")
_LIKES_NO_NUMBER = re.compile(_LIKES_NOTHING.pattern + rb"|\s-[a-z]{2}\s")
"""What can be true of no output: in a test, and in [[, to which it is a number."""
_NOTHING, _JUMPS = KNOWN["do_nothing"], KNOWN["jumps"]


class _Search:
    """A search in one text. What is left to do is a list, so that no text is nested too deeply."""

    def __init__(self, source: bytes, shell: Sequence[str], *, is_gate: bool = False) -> None:
        self.source, self.is_gate = source, is_gate
        self.stops = any(map(_STOPS.fullmatch, shell[1:])) or bool(_CHECKS.search(source))
        self.waits = _WAITS.search(source) is not None
        self.has_pipefail = "pipefail" in shell or bool(_PIPEFAIL.search(source))
        self.is_strict_inside = name_of(shell[0]) != "bash" or b"inherit_errexit" in source
        self.found: list[tuple[int, int, Reason]] = []
        self.todo: list[tuple[Node, _Place]] = []
        self.functions: dict[str, Node] = {}
        self.called: set[tuple[str, bool, bool, bool]] = set()

    def first(self) -> tuple[int, int, Reason] | None:
        for node in _nodes(self.source):
            name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
            if node.type == "function_definition" and name is not None and body is not None:
                self.functions[_text(name)] = body
        if (root := _root(self.source)) is not None:
            self._sequence(root.children, _Place(ends=True, stops=self.stops))
        while self.todo:
            self._look_at(*self.todo.pop())
        return min(self.found, default=None, key=lambda one: one[:2])

    def _look_at(self, node: "Node", place: _Place) -> None:
        match node.type:
            case "command":
                self._command(node, place)
            case "compound_statement":
                self._sequence(node.children, place)
            case "subshell":
                self._sequence(node.children, place.of_child())
            case "do_group":
                self._sequence(node.children, place._replace(ends=False))
            case "if_statement" | "elif_clause" | "else_clause" | "while_statement":
                self._branches(node, place)
            case "case_item":
                values = node.children_by_field_name("value")
                self._sequence([one for one in node.children if one not in values], place)
            case "variable_assignment" | "variable_assignments":
                self._assignment(node, place)
            case "command_substitution" | "process_substitution":
                self._sequence(node.children, place.lost(_OUTPUT)._replace(is_used=True))
            case "declaration_command":
                self._words(node, place)
            case "test_command" if self._notices_nothing(node, place):
                pass
            case _:
                self.todo += [(one, place) for one in node.named_children]

    def _sequence(self, nodes: Iterable["Node"], place: _Place) -> None:
        """Look at statements that follow each other; the last one is in this place."""
        unread = {"comment", "function_definition"}
        nodes = [n for n in nodes if n.type == "&" or (n.is_named and n.type not in unread)]
        if not nodes or (not place.stops and _name(nodes[-1]) in _NOTHING | {"exit"}):
            return  # the outcome is not meant to be that of the commands
        for node, after in pairwise(nodes):
            if after.type != "&" and node.type != "&":
                is_asked = _ASKS.search(self.source, after.start_byte, after.end_byte)
                self._list(node, place._replace(ends=is_asked is not None))
            elif after.type == "&" and not self.waits:
                self._list(node, place.lost(_BACKGROUND))
        if nodes[-1].type != "&":
            self._list(nodes[-1], place)

    def _list(self, node: "Node", place: _Place) -> None:
        """Look at pipelines joined by && and ||.

        Which of these bind closer is decided here: the parser may be mistaken, and takes what
        follows the beginning of a here document for a part of that.
        """
        pipelines, todo = [_Pipeline()], [node]
        while todo:
            one = todo.pop()
            if one.type in {"&&", "||"}:
                pipelines.append(_Pipeline(one.type))
            elif one.type == "!":
                pipelines[-1].negated_at = one.start_byte
            elif one.type in _LISTS:
                todo += one.children[::-1]
            elif one.type.endswith("_redirect") or one.type == "heredoc_body":
                pipelines[-1].redirects.append(one)
            elif one.is_named and not one.type.startswith("heredoc_"):
                pipelines[-1].commands.append(one)
        handler, following = None, ""
        for each in reversed(pipelines):
            if handler is not None:
                where = place.asked()
            elif each is pipelines[-1]:
                where = place
            else:
                is_question = each.is_question() or following in _JUMPS
                where = place.asked(_AND, ends=place.ends or is_question)
                where = where._replace(is_condition=is_question)
            if handler not in _NOTHING:
                self._pipeline(each, where)
            following = each.name
            if each.operator == "||":
                handler = each.name

    def _pipeline(self, pipeline: _Pipeline, place: _Place) -> None:
        commands = pipeline.commands
        if pipeline.negated_at is not None and commands:
            if not place.ends:
                reason = _NOT if place.stops else place.reason
                self.found.append((pipeline.negated_at, commands[-1].end_byte, reason))
            place = place.asked()._replace(is_condition=True)
        if any(_WRITES.match(self.source, one.start_byte) for one in pipeline.redirects):
            place = place._replace(is_used=True)
        self.todo += [(one, place) for one in pipeline.redirects]
        for at, node in enumerate(commands):
            where = place.of_child() if len(commands) > 1 else place
            if node is not commands[-1]:
                where = where._replace(is_used=True)
                if self.is_gate and place.ends and pipeline.name in KNOWN["questions"]:
                    where = where.lost(_NO)
                elif not self.has_pipefail and not place.is_condition:
                    where = where.lost(_PIPE)
            is_filter = at > 0 and _name(node) in KNOWN["filters"]
            self.todo.append((node, where._replace(ends=where.ends or is_filter)))

    def _branches(self, node: "Node", place: _Place) -> None:
        parts: tuple[list[Node], list[Node]] = ([], [])
        into = node.type == "else_clause"
        for one in node.children:
            if one.type in {"elif_clause", "else_clause", "do_group"}:
                self.todo.append((one, place))
            else:
                parts[into].append(one)
            into = into or one.type == "then"
        self._sequence(parts[0], place.asked()._replace(is_condition=True))
        self._sequence(parts[1], place)

    def _assignment(self, node: "Node", place: _Place) -> None:
        """Look at assignments without a command: their status is that of the last substitution."""
        found = [one for one in _below(node, _SUBSTITUTIONS) if one.type in _SUBSTITUTIONS]
        if found and found[-1].type == "command_substitution":
            inside = place.of_child()._replace(is_used=True)
            if not self.is_strict_inside:
                inside = inside.asked(_INSIDE, ends=inside.ends)
            self._sequence(found.pop().children, inside)
        self.todo += [(one, place) for one in found]

    def _command(self, node: "Node", place: _Place) -> None:
        words, name = _words_of(node), _name(node)
        texts = [text for _, text in words]
        harmless = KNOWN["harmless"] | (frozenset() if place.is_used else KNOWN["questions"])
        if place.is_child and texts[1:] != ["0"]:
            harmless -= {"exit"}  # it does not leave the text
        if (body := self.functions.get(name)) is not None:
            call = (name, place.is_lost, place.stops, place.is_used)
            if call not in self.called:
                self.called.add(call)
                self.todo.append((body, place._replace(ends=not place.is_lost)))
        elif place.is_lost and name not in harmless:
            self.found.append((node.start_byte, node.end_byte, place.reason))
        for at, shell in _texts_in(texts):
            # A text that is put together is looked at as the words that it is made of.
            source = _encoded(texts[at] if not re.search(r"\$\(|`", texts[at]) else "")
            if (found := _Search(source, shell).first()) is not None:
                begin = words[at][0]
                self.found.append((begin + found[0], begin + found[1], found[2]))
        is_message = name in {"echo", "printf"} and not place.is_used and "-v" not in texts
        if not is_message and not (name == "test" and self._notices_nothing(node, place)):
            self._words(node, place)

    def _words(self, node: "Node", place: _Place) -> None:
        """Look at the words of a command, which has a status of its own."""
        for one in node.named_children:
            parts = one.named_children if one.type == "variable_assignment" else [one]
            self.todo += [(part, place) for part in parts]

    def _notices_nothing(self, node: "Node", place: _Place) -> bool:
        """Whether a test fails, and is heard, if a command in it has failed without output."""
        if place.is_lost or place.is_condition or self.is_gate:
            return False
        begin, end = node.start_byte, node.end_byte
        likes = _LIKES_NO_NUMBER if self.source.startswith(b"[[", begin) else _LIKES_NOTHING
        return not likes.search(self.source, begin, end)
