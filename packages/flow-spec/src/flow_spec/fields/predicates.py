"""The predicates of a `when`, and what they mean (rules 3.2, 3.3, 3.7, 3.8 and 10.1).

flow-conditions has the grammar and evaluates. This module has the predicates and quantifiers that
flows know. Both are imported for the first condition: a flow may have none.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import flow_conditions
from flow_spec.errors import Advised, closest_word, quoted

if TYPE_CHECKING:
    from flow_conditions import Condition, Name, Occurrence, Vocabulary

PREDICATES = ("succeeded", "failed", "skipped", "passed", "finished")
FINALLY_PREDICATES = (*PREDICATES, "cancelled")
"""What a step of `finally` may ask; only these steps are decided after a cancel (rule 10.1)."""

_ONLY_IN_FINALLY = (
    "only the steps of 'finally' can ask that, since after a cancel no other step begins"
)


def _vocabulary(
    hints: Mapping[str, str], *, in_finally: bool, asks_one: bool = True
) -> "Vocabulary":
    from flow_conditions import Quantifier, Vocabulary

    predicates = FINALLY_PREDICATES if in_finally else PREDICATES
    quantifiers = (
        Quantifier("any", "||", synonyms=("some", "one")),
        Quantifier("all", "&&", synonyms=("every", "each")),
        Quantifier("none", "||", negated=True, synonyms=("no",)),
    )
    return Vocabulary(
        predicates=predicates,
        hints=hints,
        quantifiers=quantifiers,
        domain="the steps in depends_on" + (", or else all of 'steps'" if in_finally else ""),
        max_calls=len(quantifiers) * len(predicates),  # as many as there are different ones
        asks_one=asks_one,
        functions=(),
    )


@cache
def _plain_vocabulary(*, in_finally: bool) -> "Vocabulary":
    """Return the vocabulary of a condition in `steps`, or in `finally`."""
    return _vocabulary({}, in_finally=in_finally)


@cache
def _advising_vocabulary(*, in_finally: bool, asks_one: bool = True) -> "Vocabulary":
    """Return a vocabulary with advice on words of other systems, for a condition with a mistake."""
    from flow_spec.fields.translation import foreign_words

    words = foreign_words()
    asked = {meant: (meant, *others.split()) for meant, others in words["predicates"].items()}
    hints = {word: meant for meant, same in asked.items() for word in same}
    hints |= dict.fromkeys(words["attributes"]["words"].split(), words["attributes"]["advice"])
    functions, over_all = dict(words["functions"]), words["functions_over_all"]
    if in_finally:
        functions |= {
            word: f"write '{call}', which asks all of 'steps'" for word, call in over_all.items()
        }
        functions |= words["functions_in_finally"]
    else:
        hints |= dict.fromkeys(asked["cancelled"], _ONLY_IN_FINALLY)
        functions |= {
            word: f"{functions[word]}, or '{call}' for all steps in depends_on"
            for word, call in over_all.items()
        }
    hints |= {f"{word}()": advice for word, advice in functions.items()}
    return _vocabulary(hints, in_finally=in_finally, asks_one=asks_one)


class End[Status: str](NamedTuple):
    """How a step has ended: `SUCCEEDED`, `FAILED`, `SKIPPED` or `CANCELLED`, and if it passed.

    `StepSpec.end` tells whether it passed (rule 3.8).
    """

    status: Status
    passed: bool


def holds[Status: str](predicate: str | None, end: End[Status]) -> bool:
    """Return whether an operand is true of a step that has ended (rules 3.2, 3.3, 3.8 and 10.1).

    `predicate` is one of `FINALLY_PREDICATES`, or None for a bare id.
    """
    match predicate:
        case "finished":
            return True
        case "passed":
            return end.passed
        case _:
            return end.status == (predicate or "succeeded").upper()


def holds_of_copies[Status: str](operand: "Name", ends: Collection[End[Status]]) -> bool:
    """Return whether an operand is true of all copies of a step, which have ended (3.7, 10.3).

    `ends` may have duplicates or not. If there are no copies, `all` asks one step that was skipped
    by its own decision.
    """
    predicate = operand.predicate
    quantifier = quantifier_of(operand)
    if quantifier == "all":
        every = all(holds(predicate, end) for end in ends)
        return every and (bool(ends) or holds(predicate, SKIPPED_ITSELF))
    found = any(holds(predicate, end) for end in ends)
    return found is not (quantifier == "none")


SKIPPED_ITSELF = End("SKIPPED", True)
"""What a step without copies counts as."""


def quantifier_of(operand: "Name") -> str:
    """Return how an operand asks the copies of a step: `A.failed` asks any of them, `A` all."""
    by_itself = "any" if operand.predicate in {"failed", "cancelled"} else "all"
    return operand.quantifier or by_itself


def parse_when(
    text: str, depends_on: Sequence[str] = (), *, in_finally: bool = True, asks_one: bool = True
) -> "Condition":
    """Return the condition of a step with this `when` and `depends_on`.

    Only a step of `finally` may ask which steps were cancelled (rule 10.1). Unless it `asks_one`, a
    call such as `any(load)` is a mistake (rule 3.7).

    Raises:
        ConditionSyntaxError: The text is not a condition. The advice translates words of other
            systems (rule 3.3).
    """
    try:
        if asks_one:
            vocabulary = _plain_vocabulary(in_finally=in_finally)
            return flow_conditions.parse(text, vocabulary, over=depends_on)
    except flow_conditions.ConditionSyntaxError:
        pass  # again, for the advice: no flow without a mistake reads the words of other systems
    advising = _advising_vocabulary(in_finally=in_finally, asks_one=asks_one)
    return flow_conditions.parse(text, advising, over=depends_on)


def operands_of(when: str | None) -> "Iterator[Occurrence]":
    """Yield the operands and calls in a `when`; the name of `any(failed)` is None."""
    return flow_conditions.operands_in(when, FINALLY_PREDICATES) if when else iter(())


def has_call(text: str) -> bool:
    """Whether a text is a condition that calls `any`, `all` or `none` (rule 3.7)."""
    return not is_condition(text, (), in_finally=True)


def is_condition(text: str, depends_on: Sequence[str], *, in_finally: bool) -> bool:
    """Whether a text is a condition of a step with this `depends_on`."""
    try:
        flow_conditions.parse(text, _plain_vocabulary(in_finally=in_finally), over=depends_on)
    except (flow_conditions.ConditionSyntaxError, flow_conditions.InvalidNameError):
        return False
    return True


def advice_on_name(name: str, *, in_finally: bool) -> str | None:
    """Return what to write instead of a function of another system, or None (rule 3.3)."""
    if in_finally:
        return _advising_vocabulary(in_finally=True).hints.get(f"{name}()")
    from flow_spec.fields.translation import foreign_words

    advice: str | None = foreign_words()["functions"].get(name)
    return advice


_PIECE = re.compile(
    r"""(?P<call>(?!(?:and|or|not|is)\b)[a-z_]\w*)\s*\(\s*['"]?(?P<argument>[\w@-]*)['"]?\s*\)
    |(?P<sign>===?|!==?|=|\b(?:is\s+not|is|eq|ne)\b)
    |(?P<operator>&&?|\|\|?|\b(?:and|or)\b|[,;])
    |(?P<negation>!|\bnot\b)
    |(?P<parenthesis>[()])
    |(?P<quote>['"])(?P<text>[\w.-]*)(?P=quote)
    |(?P<name>\w[\w@-]*(?:\[[\w'"-]+\])?(?:\.[a-z_][\w-]*)*)
    |(?P<other>\S)""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_DOLLAR = re.compile(r"\$\{?(\w[\w-]*)\}?")
_OPERATORS = {"&": "&&", "&&": "&&", "and": "&&", ",": "&&", ";": "&&"}
_CONTEXTS = ("steps.", "needs.", "jobs.", "tasks.", "dependencies.")
_AZURE = re.compile(r"\b(eq|ne)\(\s*([^,()]+?)\s*,\s*([^,()]+?)\s*\)", re.IGNORECASE)
_AZURE_SIGNS = {"eq": "==", "ne": "!="}
_RESULT = re.compile(r"!?\s*([\w-]+)\.(?:rc|exit_?code|returncode|status)\b[^&|]*", re.IGNORECASE)
_CODE = re.compile(r"([\w-]+)\.(?:rc|exit_?code)\s*==\s*([1-9]\d*)\b")
_SEVERAL = re.compile(r"\b(any|all|none)\(([^()]*,[^()]*)\)")
_COPY = re.compile(r"(.+?)\[['\"]?(\w[\w-]*)['\"]?\]")
_ALWAYS = "always"
_IN_ANY_CASE = re.compile(
    r"!\s*cancelled\(\)|success\(\)\s*\|\|\s*failure\(\)|failure\(\)\s*\|\|\s*success\(\)"
)
"""What GitHub Actions writes for `always()`, but for a cancel."""
_ANY_RESULT = re.compile(
    r"contains\((?:join\()?needs\.\*\.result(?:,[^()]*\))?,\s*['\"](\w+)['\"]\s*\)"
)
"""What GitHub Actions writes for `any(failed)`."""
_MOST_SPELLED, _MOST_LISTED = 4, 6
"""The most steps that a message names in place of `any` and `all`, and in a list."""


def advice_on_condition(
    text: str,
    ids: Collection[str],
    depends_on: Sequence[str],
    before: Sequence[str],
    *,
    in_finally: bool,
) -> Advised | None:
    """Return what to write instead of a whole condition of another system, or None.

    The fact is empty unless there is a better one than that of the parser. `ids` are the steps that
    may be asked, and `before` those that stand earlier in the file.
    """
    from flow_spec.fields import translation

    bare = translation.unwrapped(text)
    fact = "" if bare == text.strip() else "a condition is written without if"
    fact = "a condition is written without braces around it" if fact and "{" in text else fact
    written = _Translator(ids, depends_on, before, in_finally).translated(bare)
    written = None if written == text.strip() != _ALWAYS else written
    fix = None if written is None else f"write when: {written}"
    if bare.removesuffix("()") in {"success", "succeeded", "on_success", "all_success"}:
        asked = ", ".join((depends_on or before[-1:])[:_MOST_LISTED]) or "ID"
        fix = f"remove it: with depends_on: [{asked}], the step runs only after success"
    elif written == _ALWAYS and in_finally:
        fix = "remove it: steps in finally always run"
    elif written == _ALWAYS:
        names = depends_on or before[-1:] or ("ID",)
        spelled = " && ".join(f"{name}.finished" for name in names[:_MOST_SPELLED])
        fix = f"write when: {spelled}, or move the step to finally:"
    elif fix is None and _lacks_depends_on(text, depends_on, before, in_finally=in_finally):
        fix = f"add depends_on: [{', '.join(before[-_MOST_LISTED:])}]"
    if fix and (code := _CODE.search(bare)):
        fix += f"; for {code[2]}, skip_exit_codes: [{code[2]}] in {code[1]} gives {code[1]}.skipped"
    if fix is not None:
        return Advised(fact, fix)
    result = _RESULT.fullmatch(bare)
    if result is not None and result[1] not in ids:
        names = (*before[-1:], "ID")
        return Advised(
            f"unknown step {quoted(result[1])}", f"write when: {names[0]}, or {names[0]}.failed"
        )
    if output := translation.asks_output(text):
        return Advised("a condition asks how steps ended, not what they wrote", output)
    gate = translation.question_of(text, ids)
    if gate is None and translation.asks_fact(text):
        fix = "write only_if: in place of when:, with a command that asks this machine, such as "
        fix += "[test, -f, /etc/debian_version]"
        return Advised("a condition asks about steps, not about facts", fix)
    if gate is None and translation.asks_surroundings(text):
        gate = "[test, -f, FILE]"
    fact = "a condition asks about steps, not about variables"
    return (
        None
        if gate is None
        else Advised(fact, f"write only_if: {gate} in place of when:{translation.set_for(text)}")
    )


_CALL = re.compile(rf"\b(?:any|all|none)\(\s*(?:{'|'.join(FINALLY_PREDICATES)})\s*\)")


def _lacks_depends_on(
    text: str, depends_on: Sequence[str], before: Sequence[str], *, in_finally: bool
) -> bool:
    """Whether a condition would be one if its step had a `depends_on`."""
    is_asked = _CALL.search(text) is not None and not depends_on and len(before) > 0
    return is_asked and is_condition(text, before, in_finally=in_finally)


class _Translator:
    """Translates the conditions of one step."""

    def __init__(
        self,
        ids: Collection[str],
        depends_on: Sequence[str],
        before: Sequence[str],
        in_finally: bool,
    ) -> None:
        from flow_spec.fields.translation import foreign_words

        self._ids = ids
        self._depends_on = depends_on
        self._before = before
        self._in_finally = in_finally
        words = foreign_words()
        self._calls: Mapping[str, str] = words["calls"]
        self._attributes = words["attributes"]["words"].split()
        self._predicates = {
            word: meant for meant, same in words["predicates"].items() for word in same.split()
        } | {word: word for word in FINALLY_PREDICATES}

    def translated(self, text: str) -> str | None:
        """Return the condition in our words, `always` if it is true in any case, or None."""
        opened = text.count("(") - text.count(")")
        return self._translated(text + ")" * opened)

    def _translated(self, text: str) -> str | None:
        bare = _DOLLAR.sub(lambda one: one[1] if one[1] in self._ids else one[0], text)
        bare = _AZURE.sub(lambda one: f"{one[2]} {_AZURE_SIGNS[one[1]]} {one[3]}", bare)
        bare = _SEVERAL.sub(self._spread, bare)
        bare = _ANY_RESULT.sub(r"any(\1)", _IN_ANY_CASE.sub("always()", bare))
        pieces = list(_PIECE.finditer(bare))
        parts: list[str] = []
        while pieces:
            part = self._part(pieces)
            if part is None:
                return None
            parts.append(part)
        return self._joined(parts)

    def _spread(self, call: "re.Match[str]") -> str:
        """Return what a call with several operands means, such as `any(a.failed, b.failed)`."""
        operands = [part.strip() for part in call[2].split(",")]
        if not all(part.partition(".")[0] in self._ids for part in operands):
            return call[0]
        joined = (" && " if call[1] == "all" else " || ").join(operands)
        return f"{'!' if call[1] == 'none' else ''}({joined})"

    def _joined(self, parts: list[str]) -> str | None:
        """Return the parts as a condition that is valid here, or None."""
        if parts == [_ALWAYS]:
            return _ALWAYS
        if parts[:2] == [_ALWAYS, "&&"]:
            parts = parts[2:]
        if parts[-2:] == ["&&", _ALWAYS]:
            parts = parts[:-2]
        spelled = " ".join(parts).replace("! ", "!").replace("( ", "(").replace(" )", ")")
        if whole := re.fullmatch(r"\(([^()]*)\)", spelled):
            spelled = whole[1]
        if not is_condition(spelled, self._depends_on, in_finally=self._in_finally):
            return None
        named = (operand.name for operand in operands_of(spelled))
        known = all(name is None or name.partition("@")[0] in self._ids for name in named)
        return spelled if known else None

    def _part(self, pieces: "list[re.Match[str]]") -> str | None:
        """Take the pieces of the next operand or sign, and return it in our words."""
        piece = pieces.pop(0)
        if operator := piece["operator"]:
            return _OPERATORS.get(operator.lower(), "||")
        if piece["negation"] or piece["parenthesis"]:
            return "!" if piece["negation"] else piece["parenthesis"]
        if piece["call"]:
            return self._call(piece["call"], piece["argument"])
        left = piece["text"] if piece["quote"] else piece["name"]
        if left is None:
            return None
        if pieces and pieces[0]["sign"] and len(pieces) > 1:
            sign, other = pieces.pop(0)["sign"], pieces.pop(0)
            right = other["text"] if other["quote"] else other["name"]
            return None if right is None else self._comparison(left, sign.lower(), right)
        return self._operand(left, pieces)

    def _operand(self, text: str, pieces: "list[re.Match[str]]") -> str | None:
        name, predicate = self._split(text)
        if predicate is None and pieces and pieces[0]["name"] in FINALLY_PREDICATES:
            predicate = pieces.pop(0)["name"]  # as in `a failed`
        if predicate is None:
            return self._known(name) or self._call(name, "")
        meant = self._predicates.get(predicate.lower())
        return None if meant is None else f"{self._known(name) or name}.{meant}"

    def _known(self, name: str) -> str | None:
        """Return the id of a step or a copy that is meant, or None."""
        if name.partition("@")[0] in self._ids:
            return name
        return None if name.lower() in self._calls else closest_word(name, self._ids)

    def _comparison(self, left: str, sign: str, right: str) -> str | None:
        if left.lower() in self._predicates and "." in right:
            left, right = right, left
        name, attribute = self._split(left)
        if right in {"true", "false"} and (operand := self._operand(left, [])) and "." in operand:
            return operand if (right == "true") is (not sign.startswith("!")) else f"!{operand}"
        meant = self._predicates.get(right.lower())
        if attribute is not None and attribute not in self._attributes:
            return None
        if right.isdecimal():
            meant = "failed" if int(right) else "succeeded"
        known = self._known(name)
        if meant is None or known is None:
            return None
        name = known
        negated = sign.startswith("!") or sign in {"ne", "is not"}
        opposite = {"succeeded": "failed", "failed": "succeeded"}.get(meant)
        if negated and right.isdecimal() and opposite is not None:
            return f"{name}.{opposite}"
        return f"{'!' if negated else ''}{name}.{meant}"

    def _split(self, text: str) -> tuple[str, str | None]:
        """Return the id of a step, and what follows its dot."""
        context = next((one for one in _CONTEXTS if text.startswith(one)), "")
        name, _, attribute = text.removeprefix(context).partition(".")
        if found := _COPY.fullmatch(name):
            name = f"{found[1]}@{found[2]}"
        return name, attribute.rpartition(".")[2] or None

    def _call(self, word: str, argument: str) -> str | None:
        word = word.lower()
        if not argument:
            call = self._calls.get(word)
            return self._of_all(call) if call and call != _ALWAYS else call
        predicate = self._predicates.get(word)
        if predicate is not None:
            return f"{argument}.{predicate}"
        asked = self._predicates.get(argument.lower())
        return (
            self._of_all(f"{word}({asked})") if word in {"any", "all", "none"} and asked else None
        )

    def _of_all(self, call: str) -> str | None:
        """Return a call such as `any(failed)`, or what it means where it cannot be written."""
        if self._depends_on or self._in_finally or "!" in call:
            return call
        word, _, predicate = call.removesuffix(")").partition("(")
        if not 0 < len(self._before) <= _MOST_SPELLED or word not in {"any", "all"}:
            return None
        operands = [f"{name}.{predicate}" for name in self._before]
        joined = f" {'||' if word == 'any' else '&&'} ".join(operands)
        return f"({joined})" if len(operands) > 1 else joined
