"""The drawing of a run's steps: boxes and lines, with the critical path and the outcomes in it.

The layout is like Sugiyama's: an edge that crosses a layer passes through a point in it; each layer
is sorted by the positions of its neighbours, and stands in the middle of the drawing. Up to a few
hundred steps get a node each, but many copies of a step share one. Of more steps, a node stands for
a whole rank or several ranks.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import NamedTuple

from flow_spec import FlowSpec, base_of
from flow_store import StepStatus
from orchesjob_flow.reasons import count_by_urgency, counts_text
from orchesjob_flow.reports.facts import Facts, StepFacts
from orchesjob_flow.views.terminal import counted, cut, visible

SWEEPS = 6


class Size(NamedTuple):
    """The size of a node along the direction of the layers, and across it."""

    along: float
    across: float


class Spot(NamedTuple):
    """The middle of a node."""

    along: float
    across: float


class Layout(NamedTuple):
    """The middles of all nodes, the points of each edge, and the total size."""

    spots: Mapping[int, Spot]
    routes: Sequence[tuple[int, int, Sequence[int]]]
    along: float
    across: float


def lay_out(
    layers: Sequence[Sequence[int]],
    edges: Sequence[tuple[int, int]],
    sizes: Mapping[int, Size],
    gap: Size,
) -> Layout:
    """Place the nodes of layers; each edge leads to a later layer."""
    rows = [list(layer) for layer in layers]
    level = {node: number for number, layer in enumerate(rows) for node in layer}
    sizes, point = dict(sizes), -1
    routes: list[tuple[int, int, list[int]]] = []
    before: dict[int, list[int]] = {}
    after: dict[int, list[int]] = {}
    for begin, end in edges:
        passed: list[int] = []
        for number in range(level[begin] + 1, level[end]):
            rows[number].append(point)
            sizes[point] = Size(0, gap.across / 2)
            passed.append(point)
            point -= 1
        for one, other in zip((begin, *passed), (*passed, end), strict=True):
            after.setdefault(one, []).append(other)
            before.setdefault(other, []).append(one)
        routes.append((begin, end, passed))
    for sweep in range(SWEEPS):
        put_in_order(rows, before if sweep % 2 == 0 else after, backwards=sweep % 2 == 1)
    spots: dict[int, Spot] = {}
    widths = [sum(sizes[node].across + gap.across for node in row) - gap.across for row in rows]
    widest, along = max(widths, default=0.0), 0.0
    for row, width in zip(rows, widths, strict=True):
        depth, edge = max((sizes[node].along for node in row), default=0.0), (widest - width) / 2
        for node in row:
            spots[node] = Spot(along + depth / 2, edge + sizes[node].across / 2)
            edge += sizes[node].across + gap.across
        along += depth + (gap.along if depth else gap.along / 2)
    return Layout(spots, routes, max(0.0, along - gap.along), widest)


def put_in_order(
    rows: list[list[int]], joined: Mapping[int, Sequence[int]], *, backwards: bool
) -> None:
    """Sort each layer by the places of its nodes' neighbours in the layer before."""
    place: dict[int, float] = {}
    for row in reversed(rows) if backwards else rows:
        now = {node: float(number) for number, node in enumerate(row)}
        wanted = {
            node: fmean([place[other] for other in joined[node] if other in place])
            if any(other in place for other in joined.get(node, ()))
            else now[node]
            for node in row
        }
        row.sort(key=lambda node: (wanted[node], now[node]))
        place.update((node, float(number)) for number, node in enumerate(row))


MOST_SINGLE, MOST_NODES, MOST_EDGES, MOST_RANKS = 60, 501, 2500, 20
LONGEST_NAME = 24


class GraphNode(NamedTuple):
    """A box for a step, all copies of a step, or some ranks."""

    name: str
    status: StepStatus
    words: str
    step: StepFacts | None
    is_critical: bool


class Graph(NamedTuple):
    """Nodes in layers, and edges by their numbers; negative numbers are junctions."""

    nodes: Sequence[GraphNode]
    layers: Sequence[Sequence[int]]
    edges: Sequence[tuple[int, int]]
    note: str | None


def grouped_steps(facts: Facts) -> Mapping[str, Sequence[StepFacts]]:
    """Return the steps of each box, by its name: one step, or all copies in a large run."""
    copies = facts.flow.copies if len(facts.steps) > MOST_SINGLE else {}
    groups: dict[str, list[StepFacts]] = {}
    for one in facts.steps:
        base = base_of(one.id)
        groups.setdefault(base if base in copies else one.id, []).append(one)
    return groups


def node_of(name: str, steps: Sequence[StepFacts]) -> GraphNode:
    """Describe a step, or all copies of one."""
    counts = counts_of(steps)
    status = next(iter(counts))
    is_critical = any(one.is_critical for one in steps)
    if len(steps) == 1:
        words = f"{status.value}: {steps[0].why.sentence}"
        return GraphNode(_box_name(name), status, words, steps[0], is_critical)
    copies = f"{_box_name(name)} ×{len(steps)}"  # noqa: RUF001
    return GraphNode(copies, status, counts_text(counts), None, is_critical)


def counts_of(steps: Sequence[StepFacts]) -> Counter[StepStatus]:
    """Count the steps by status, the most urgent first."""
    return count_by_urgency(one.status for one in steps)


def _box_name(name: str) -> str:
    return cut(visible(name), LONGEST_NAME)


def graph_of(facts: Facts, groups: Mapping[str, Sequence[StepFacts]]) -> Graph:
    """Make a node for each box, with edges from its dependencies.

    Where several nodes wait for the same several others, these edges meet in one junction.
    """
    number = {one.id: place for place, group in enumerate(groups.values()) for one in group}
    copies = facts.flow.copies
    waits: list[tuple[int, ...]] = []
    for group in groups.values():
        # Steps of `finally` wait for all others: only their other dependencies are drawn.
        among = {one.id for one in facts.steps if one.is_finally} if group[0].is_finally else number
        ids = [
            one
            for step in group
            for name in step.spec.waits_for
            for one in copies.get(name, (name,))
        ]
        waits.append(tuple(dict.fromkeys(number[one] for one in ids if one in among)))
    level = levels_of(facts.flow, number, waits)
    layers: list[list[int]] = [[] for _ in range(2 * (max(level.values(), default=0) + 1))]
    for place in range(len(waits)):
        layers[2 * level[place]].append(place)
    edges: list[tuple[int, int]] = []
    same: dict[tuple[int, ...], list[int]] = {}
    for place, waited_for in enumerate(waits):
        same.setdefault(waited_for, []).append(place)
    junction = -1_000_000
    for waited_for, places in same.items():
        if len(waited_for) * len(places) <= len(waited_for) + len(places):
            edges += [(one, place) for place in places for one in waited_for]
            continue
        layers[2 * min(level[place] for place in places) - 1].append(junction)
        edges += [(one, junction) for one in waited_for]
        edges += [(junction, place) for place in places]
        junction -= 1
    nodes = [node_of(name, group) for name, group in groups.items()]
    note = "All copies of a step are one box." if len(nodes) < len(facts.steps) else None
    return Graph(nodes, layers, edges, note)


def levels_of(
    flow: FlowSpec, number: Mapping[str, int], waits: Sequence[Sequence[int]]
) -> Mapping[int, int]:
    """Return the rank of each node: one more than the highest rank of its dependencies.

    Steps of `finally` come after all others. `number` has the node of each step, by its id.
    """
    level: dict[int, int] = {}
    for ranks in (flow.ranks, flow.finally_ranks):
        lowest = max(level.values(), default=-1) + 1
        for place in dict.fromkeys(number[spec.id] for rank in ranks for spec in rank):
            below = [level[one] + 1 for one in waits[place] if one != place]
            level[place] = max([lowest, *below])
    return level


def graph_of_ranks(facts: Facts) -> Graph:
    """Make a node for each rank, or for several ranks, and an edge from each to the next."""
    by_id = {one.id: one for one in facts.steps}
    ranks = [
        [by_id[spec.id] for spec in rank] for rank in (*facts.flow.ranks, *facts.flow.finally_ranks)
    ]
    number = -(-len(ranks) // MOST_RANKS)
    nodes = []
    for first in range(0, len(ranks), number):
        counts = counts_of([one for rank in ranks[first : first + number] for one in rank])
        last = min(first + number, len(ranks))
        name = f"rank {first + 1}" if last == first + 1 else f"ranks {first + 1} to {last}"
        words = counts_text(counts)
        nodes.append(
            GraphNode(_box_name(f"{name}: {words}"), next(iter(counts)), words, None, False)
        )
    layers = [layer for place in range(len(nodes)) for layer in ([place], [])]
    note = (
        f"{counted(len(facts.steps), 'step')} are too many to be drawn: a box stands for those "
        "that can run side by side, in the order in which they can run."
    )
    return Graph(nodes, layers, list(pairwise(range(len(nodes)))), note)


def critical_edges(facts: Facts, graph: Graph) -> set[tuple[int, int]]:
    """Return the edges of the critical path, through junctions too."""
    place = {
        node.step.id: number for number, node in enumerate(graph.nodes) if node.step is not None
    }
    path = {
        (place[one], place[other])
        for one, other in pairwise(facts.path)
        if {one, other} <= place.keys()
    }
    known = set(graph.edges)
    junctions = {end for _, end in known if end < 0}
    through = [
        [(begin, junction), (junction, end)] for begin, end in path for junction in junctions
    ]
    return (path & known).union(*(edges for edges in through if known.issuperset(edges)))


CHARACTER, PADDING, HEIGHT = 7.3, 40.0, 30.0
MARGIN = 8.0
GAP_RIGHT, GAP_DOWN = Size(44, 12), Size(30, 18)
DEEPEST_TO_THE_RIGHT = 7


class Box(NamedTuple):
    """A node as it is drawn."""

    node: GraphNode
    x: float
    y: float
    width: float
    height: float


class DrawnEdge(NamedTuple):
    """An edge between boxes, as an SVG path."""

    path: str
    is_critical: bool


class GraphDrawing(NamedTuple):
    """The drawing, its size, and a note if it does not show each step."""

    boxes: Sequence[Box]
    lines: Sequence[DrawnEdge]
    width: float
    height: float
    note: str | None


def drawing_of(facts: Facts) -> GraphDrawing:
    """Draw the steps of a run."""
    graph = graph_of(facts, grouped_steps(facts))
    if len(graph.nodes) > MOST_NODES or len(graph.edges) > MOST_EDGES:
        graph = graph_of_ranks(facts)
    widest = max(map(len, graph.layers[::2]), default=0)
    deep = len(graph.layers[::2])
    to_the_right = deep <= DEEPEST_TO_THE_RIGHT or widest > deep
    # Estimated, so that the name fits.
    widths = [max(60.0, len(node.name) * CHARACTER + PADDING) for node in graph.nodes]
    sizes = {
        place: Size(width, HEIGHT) if to_the_right else Size(HEIGHT, width)
        for place, width in enumerate(widths)
    }
    sizes |= {node: Size(0, 0) for layer in graph.layers[1::2] for node in layer}
    gap = GAP_RIGHT if to_the_right else GAP_DOWN
    layers = [layer for layer in graph.layers if layer]
    layout = lay_out(layers, graph.edges, sizes, gap)
    pen = Pen(layout, sizes, to_the_right=to_the_right)
    boxes = [
        Box(node, *pen.corner(place, width), round(width, 1), HEIGHT)
        for place, (node, width) in enumerate(zip(graph.nodes, widths, strict=True))
    ]
    critical = critical_edges(facts, graph)
    lines = [
        DrawnEdge(pen.path(begin, end, passed), (begin, end) in critical)
        for begin, end, passed in layout.routes
    ]
    lines.sort(key=lambda line: line.is_critical)
    return GraphDrawing(boxes, lines, *pen.size, graph.note)


class Pen:
    """Maps places along and across the layers to points of the page."""

    def __init__(self, layout: Layout, sizes: Mapping[int, Size], *, to_the_right: bool) -> None:
        """Use a direction of the layers."""
        self._layout, self._sizes, self._right = layout, sizes, to_the_right

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of the drawing."""
        x, y = self._point(self._layout.along + 2 * MARGIN, self._layout.across + 2 * MARGIN)
        return round(x), round(y)

    def _point(self, along: float, across: float) -> tuple[float, float]:
        return (along, across) if self._right else (across, along)

    def _spot(self, node: int, shift: float = 0.0) -> Spot:
        """Return a place on the page, moved along the layers."""
        along, across = self._layout.spots[node]
        return Spot(along + shift + MARGIN, across + MARGIN)

    def corner(self, node: int, width: float) -> tuple[float, float]:
        """Return the upper left corner of a box."""
        x, y = self._point(*self._spot(node))
        return round(x - width / 2, 1), round(y - HEIGHT / 2, 1)

    def path(self, begin: int, end: int, passed: Sequence[int]) -> str:
        """Draw an edge from the side of a box, through some points, to the side of another one."""
        spots = [
            self._spot(begin, self._sizes[begin].along / 2),
            *map(self._spot, passed),
            self._spot(end, -self._sizes[end].along / 2),
        ]
        return "".join([f"M{self._written(*spots[0])}", *map(self._curve, spots, spots[1:])])

    def _curve(self, spot: Spot, to: Spot) -> str:
        middle = (spot.along + to.along) / 2
        bends = ((middle, spot.across), (middle, to.across), to)
        return "C" + " ".join(self._written(*bend) for bend in bends)

    def _written(self, along: float, across: float) -> str:
        x, y = self._point(along, across)
        return f"{x:.0f} {y:.0f}"
