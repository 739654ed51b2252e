"""Random flows, with every condition as a tree whose parts know their characters."""

from collections.abc import Iterator, Sequence
from random import Random

import attrs

from flow_spec import FlowSpec, parse_flow
from flow_spec.fields.predicates import RUN_PREDICATES

PREDICATES = ("", "", "", ".failed", ".failed", ".skipped", ".finished", ".succeeded", ".passed")
LABELS = ("x", "y")


@attrs.define(eq=False)
class Part:
    """A part of a condition: an operand, a call, or parts joined by `&&` or `||`.

    `begin` and `end` are its characters, without what negates it. `parent` is the row that it is
    in; a row that is joined by the operator of the row around it is no part of its own.
    """

    word: str = ""
    operator: str = ""
    negated: bool = False
    parts: list["Part"] = attrs.Factory(list)
    parent: "Part | None" = None
    begin: int = 0
    end: int = 0

    def written(self, begin: int = 0) -> str:
        """Return the text, and note where it stands."""
        text = "!" if self.negated else ""
        self.begin = begin + len(text)
        if not self.parts:
            text += self.word
        else:
            text += "("
            for place, part in enumerate(self.parts):
                text += f" {self.operator} " if place else ""
                text += part.written(begin + len(text))
            text += ")"
        self.end = begin + len(text)
        return text

    def all_parts(self) -> Iterator["Part"]:
        yield self
        for part in self.parts:
            yield from part.all_parts()

    @property
    def leaves(self) -> frozenset[int]:
        """Where its operands and calls begin."""
        return frozenset(part.begin for part in self.all_parts() if not part.parts)

    @property
    def polarity(self) -> bool:
        """Whether it is negated, counting what negates the rows around it."""
        above = self.parent.polarity if self.parent else False
        return above is not self.negated

    @property
    def in_conjunction(self) -> bool:
        """Whether the row around it is one of `&&`, once all negations stand before operands."""
        assert self.parent is not None
        return (self.parent.operator == "&&") is not self.parent.polarity

    @property
    def is_member(self) -> bool:
        """Whether it is a part of its own: no row within one of the same kind."""
        if self.parent is None:
            return False
        return (
            not self.parts
            or ((self.operator == "&&") is not self.polarity) is not self.in_conjunction
        )

    @property
    def is_call(self) -> bool:
        """Whether it asks all steps of a list."""
        return self.word.endswith(")") and not self.asks_copies

    @property
    def asks_copies(self) -> bool:
        """Whether it asks the copies of a step."""
        return "(b" in self.word


@attrs.frozen
class Generated:
    """A flow, and the trees of its conditions by the ids of its steps."""

    flow: FlowSpec
    trees: dict[str, Part]


@attrs.define
class Generator:
    """What is random about a flow: its shape, and what its steps may do."""

    random: Random
    runs: Random
    """Decides what has to do with `run(failed)`, apart, so that older seeds still mean the same."""
    lines: list[str] = attrs.Factory(list)
    trees: dict[str, Part] = attrs.Factory(dict)
    inside: list[str] = attrs.Factory(list)
    """The steps of the `foreach` that is being written."""

    @classmethod
    def flow(cls, seed: int, most: int) -> Generated:
        """Return a flow of so many steps at most, those of `finally` and all copies included."""
        self = cls(Random(seed), Random(f"run {seed}"))  # noqa: S311
        random = self.random
        number = random.randint(2, most)
        last = random.choice((0, 0, 1, 2)) if number > 3 else 0
        names: list[str] = []
        todo = number - last
        timeout = ["timeout_sec: 5"] if self.runs.random() < 0.5 else []
        self.lines = ["flow_id: f", *timeout, "steps:"]
        while todo > 0:
            if todo >= 2 and random.random() < 0.12:
                inside = self._block(names, todo // len(LABELS))
                names += inside
                todo -= len(inside) * len(LABELS)
                continue
            names.append(self._step(f"s{len(names)}", names, "  "))
            todo -= 1
        if last:
            self.lines.append("finally:")
            asked = list(names)
            for place in range(last):
                asked.append(self._step(f"f{place}", asked, "  ", in_finally=True))
        return Generated(parse_flow("\n".join(self.lines)), self.trees)

    def _block(self, names: Sequence[str], number: int) -> list[str]:
        self.lines += [f"  - foreach: {{V: [{', '.join(LABELS)}]}}", "    steps:"]
        own: list[str] = []
        self.inside = own
        for _ in range(min(number, self.random.randint(1, 2))):
            name = f"b{len(names) + len(own)}"
            own.append(self._step(name, [*names, *own], "      "))
        self.inside = []
        return own

    def _step(
        self, name: str, others: Sequence[str], indent: str, *, in_finally: bool = False
    ) -> str:
        random = self.random
        fields = [f"id: {name}", "command: [mail]"]  # else no step would be an alert
        depends_on: list[str] = []
        if others and random.random() < 0.4:
            depends_on = random.sample(list(others), random.randint(1, min(3, len(others))))
            fields.append(f"depends_on: [{', '.join(depends_on)}]")
        if others and random.random() < (0.5 if depends_on else 0.75):
            calls = bool(depends_on) and random.random() < 0.4
            tree = self._tree(others, random.choice((1, 2, 2, 3, 4)), calls, in_finally)
            self.trees[name] = tree
            fields.append(f'when: "{tree.written()}"')
        if random.random() < 0.25:
            fields.append(random.choice(("skip_exit_codes: [4]", "only_if: [x]")))
        if random.random() < 0.2:
            fields.append("allow_failure: true")
        self.lines.append(f"{indent}- {{{', '.join(fields)}}}")
        return name

    def _tree(self, others: Sequence[str], size: int, calls: bool, in_finally: bool) -> Part:
        random = self.random
        predicates = (*PREDICATES, ".cancelled") if in_finally else PREDICATES
        negated = random.random() < 0.3
        if size == 1:
            predicate = random.choice(predicates)
            if calls and random.random() < 0.4:
                asked = predicate.removeprefix(".") or "failed"
                return Part(f"{random.choice(('any', 'all', 'none'))}({asked})", negated=negated)
            if in_finally and self.runs.random() < 0.3:
                return Part(f"run({self.runs.choice(RUN_PREDICATES)})", negated=negated)
            asked = random.choice(others) + predicate
            if (
                asked.startswith("b")
                and asked.split(".")[0] not in self.inside
                and random.random() < 0.4
            ):
                asked = f"{random.choice(('any', 'all', 'none'))}({asked})"
            return Part(asked, negated=negated)
        left = random.randint(1, size - 1)
        tree = Part(operator=random.choice(("&&", "||")), negated=negated)
        tree.parts = [self._tree(others, part, calls, in_finally) for part in (left, size - left)]
        for part in tree.parts:
            part.parent = tree
        return tree
