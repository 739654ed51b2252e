"""The steps of a run as a graph that can be drawn: its nodes in ranks, and who waits for whom.

A few hundred steps are nodes of their own, but that all copies of a step are one as soon as there
are many. Beyond that, a node stands for a whole rank of steps, or for several.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from flow_spec import base_of
from flow_store import StepStatus
from orchesjob_flow.reports.facts import Facts, StepFacts
from orchesjob_flow.reports.words import steps
from orchesjob_flow.views.folding import urgency
from orchesjob_flow.views.text import cut, visible

MOST_SINGLE, MOST_NODES, MOST_EDGES, MOST_RANKS = 60, 501, 2500, 20
LONGEST_NAME = 24


class Node(NamedTuple):
    """What a box stands for: a step, all copies of one, or some ranks."""

    name: str
    status: StepStatus
    words: str
    step: StepFacts | None
    is_critical: bool


class Graph(NamedTuple):
    """Nodes in ranks, and who waits for whom, by numbers; negative ones are junctions."""

    nodes: Sequence[Node]
    layers: Sequence[Sequence[int]]
    edges: Sequence[tuple[int, int]]
    note: str | None


def drawn_graph(facts: Facts) -> Graph:
    """Return the graph of a run, small enough to be drawn."""
    graph = graph_of(facts, fold(facts))
    if len(graph.nodes) > MOST_NODES or len(graph.edges) > MOST_EDGES:
        return graph_of_ranks(facts)
    return graph


def fold(facts: Facts) -> Mapping[str, Sequence[StepFacts]]:
    """Return what each box stands for, by its name: a step, or all copies of one if many."""
    copies = facts.flow.copies if len(facts.steps) > MOST_SINGLE else {}
    folds: dict[str, list[StepFacts]] = {}
    for one in facts.steps:
        base = base_of(one.id)
        folds.setdefault(base if base in copies else one.id, []).append(one)
    return folds


def node_of(name: str, those: Sequence[StepFacts]) -> Node:
    """Describe a step, or all copies of one."""
    status = min((one.status for one in those), key=urgency)
    critical = any(one.is_critical for one in those)
    if len(those) == 1:
        return Node(
            shown(name), status, f"{status.value}: {those[0].why.sentence}", those[0], critical
        )
    return Node(f"{shown(name)} ×{len(those)}", status, counted(those), None, critical)  # noqa: RUF001


def shown(name: str) -> str:
    """Shorten a name to what a box holds."""
    return cut(visible(name), LONGEST_NAME)


def counted(those: Sequence[StepFacts]) -> str:
    """Say how many steps are in which status, the most urgent first."""
    counts = Counter(sorted((one.status for one in those), key=urgency))
    return ", ".join(f"{count} {status.value}" for status, count in counts.items())


def graph_of(facts: Facts, folds: Mapping[str, Sequence[StepFacts]]) -> Graph:
    """Make a node of each step, and lines to it from what it waits for.

    Where several steps wait for the same several others, all these lines meet in one junction.
    """
    names = list(folds)
    number = {one.id: place for place, those in enumerate(folds.values()) for one in those}
    copies = facts.flow.copies
    waits: list[tuple[int, ...]] = []
    for those in folds.values():
        # Those of `finally` wait for all others: only what is said beyond that is drawn.
        among = {one.id for one in facts.steps if one.is_finally} if those[0].is_finally else number
        ids = [
            one
            for step in those
            for name in step.spec.waits_for
            for one in copies.get(name, (name,))
        ]
        waits.append(tuple(dict.fromkeys(number[one] for one in ids if one in among)))
    level = levels_of(waits, [those[0].is_finally for those in folds.values()])
    layers: list[list[int]] = [[] for _ in range(2 * (max(level, default=0) + 1))]
    for place, at in enumerate(level):
        layers[2 * at].append(place)
    edges: list[tuple[int, int]] = []
    same: dict[tuple[int, ...], list[int]] = {}
    for place, those_waits in enumerate(waits):
        same.setdefault(those_waits, []).append(place)
    junction = -1_000_000
    for those_waits, places in same.items():
        if len(those_waits) * len(places) <= len(those_waits) + len(places):
            edges += [(one, place) for place in places for one in those_waits]
            continue
        layers[2 * min(level[place] for place in places) - 1].append(junction)
        edges += [(one, junction) for one in those_waits]
        edges += [(junction, place) for place in places]
        junction -= 1
    nodes = [node_of(name, folds[name]) for name in names]
    note = None
    if len(names) < len(facts.steps):
        note = "All copies of a step are one box."
    return Graph(nodes, layers, edges, note)


def levels_of(waits: Sequence[Sequence[int]], is_finally: Sequence[bool]) -> list[int]:
    """Return the rank of each node: one more than that of the last it waits for.

    Those of `finally` come after all others.
    """
    level: dict[int, int] = {}

    def settle(places: Sequence[int], lowest: int) -> None:
        todo = list(reversed(places))
        while todo:
            place = todo[-1]
            open_ = [one for one in waits[place] if one not in level and one != place]
            if open_ and place not in level:
                todo += open_
                continue
            todo.pop()
            if place not in level:
                below = [level[one] + 1 for one in waits[place] if one != place]
                level[place] = max([lowest, *below])

    settle([place for place, last in enumerate(is_finally) if not last], 0)
    lowest = max(level.values(), default=-1) + 1
    settle([place for place, last in enumerate(is_finally) if last], lowest)
    return [level[place] for place in range(len(waits))]


def graph_of_ranks(facts: Facts) -> Graph:
    """Make a node of each rank, or of several ranks in a row, and a line from each to the next."""
    by_id = {one.id: one for one in facts.steps}
    ranks = [
        [by_id[spec.id] for spec in rank] for rank in (*facts.flow.ranks, *facts.flow.finally_ranks)
    ]
    number = -(-len(ranks) // MOST_RANKS)
    nodes = []
    for first in range(0, len(ranks), number):
        those = [one for rank in ranks[first : first + number] for one in rank]
        last = min(first + number, len(ranks))
        name = f"rank {first + 1}" if last == first + 1 else f"ranks {first + 1} to {last}"
        node = node_of(f"{name}: {counted(those)}", those[:1])
        nodes.append(
            node._replace(
                status=min((one.status for one in those), key=urgency),
                words=counted(those),
                step=None,
                is_critical=False,
            )
        )
    layers: list[list[int]] = []
    for place in range(len(nodes)):
        layers += [[place], []]
    note = (
        f"{steps(len(facts.steps))} are too many to be drawn: a box stands for those that can run "
        "side by side, in the order in which they can run."
    )
    return Graph(nodes, layers, list(pairwise(range(len(nodes)))), note)


def critical_edges(facts: Facts, graph: Graph) -> set[tuple[int, int]]:
    """Return the lines of the critical path, through a junction too."""
    place = {
        node.step.id: number for number, node in enumerate(graph.nodes) if node.step is not None
    }
    known = set(graph.edges)
    into: dict[int, list[int]] = {}
    for begin, end in graph.edges:
        if begin < 0:
            into.setdefault(end, []).append(begin)
    found: set[tuple[int, int]] = set()
    for one, other in pairwise(facts.path):
        if one not in place or other not in place:
            continue
        begin, end = place[one], place[other]
        if (begin, end) in known:
            found.add((begin, end))
        for junction in into.get(end, ()):
            if (begin, junction) in known:
                found |= {(begin, junction), (junction, end)}
    return found
