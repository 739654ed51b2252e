"""The drawing of a run's steps: boxes and lines, with the critical path and the outcomes in it."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from orchesjob_flow.reports.facts import Facts
from orchesjob_flow.reports.graph import Node, critical_edges, drawn_graph
from orchesjob_flow.reports.layers import Layout, Size, Spot, lay_out

CHARACTER, PADDING, HEIGHT = 7.3, 40.0, 30.0
MARGIN = 8.0
GAP_RIGHT, GAP_DOWN = Size(44, 12), Size(30, 18)
DEEPEST_TO_THE_RIGHT = 7


class Box(NamedTuple):
    """A node as it is drawn."""

    node: Node
    x: float
    y: float
    width: float
    height: float


class Line(NamedTuple):
    """A line from box to box, as a path of SVG."""

    path: str
    is_critical: bool


class Drawing(NamedTuple):
    """What is drawn, how large it is, and how it was made smaller, if it was."""

    boxes: Sequence[Box]
    lines: Sequence[Line]
    width: float
    height: float
    note: str | None


def drawing_of(facts: Facts) -> Drawing:
    """Draw the steps of a run."""
    graph = drawn_graph(facts)
    widest = max(map(len, graph.layers[::2]), default=0)
    deep = len(graph.layers[::2])
    to_the_right = deep <= DEEPEST_TO_THE_RIGHT or widest > deep
    widths = [width_of(node.name) for node in graph.nodes]
    sizes = {
        place: Size(width, HEIGHT) if to_the_right else Size(HEIGHT, width)
        for place, width in enumerate(widths)
    }
    junctions = {node: Size(0, 0) for layer in graph.layers[1::2] for node in layer}
    gap = GAP_RIGHT if to_the_right else GAP_DOWN
    layers = [layer for layer in graph.layers if layer]
    layout = lay_out(layers, graph.edges, sizes | junctions, gap)
    pen = Pen(layout, to_the_right=to_the_right)
    boxes = [
        Box(node, *pen.corner(place, width), round(width, 1), HEIGHT)
        for place, (node, width) in enumerate(zip(graph.nodes, widths, strict=True))
    ]
    critical = critical_edges(facts, graph)
    lines = [
        Line(pen.path(begin, end, passed, widths), (begin, end) in critical)
        for begin, end, passed in layout.routes
    ]
    lines.sort(key=lambda line: line.is_critical)
    return Drawing(boxes, lines, *pen.size, graph.note)


def width_of(name: str) -> float:
    """Estimate how wide a box must be for its name."""
    return max(60.0, len(name) * CHARACTER + PADDING)


class Pen:
    """Turns places along and across the layers into points of the page."""

    def __init__(self, layout: Layout, *, to_the_right: bool) -> None:
        """Note which way the layers follow each other."""
        self._layout, self._right = layout, to_the_right

    @property
    def size(self) -> tuple[float, float]:
        """The width and the height of the drawing."""
        along, across = self._layout.along + 2 * MARGIN, self._layout.across + 2 * MARGIN
        return (round(along), round(across)) if self._right else (round(across), round(along))

    def point(self, spot: Spot, shift: float = 0.0) -> tuple[float, float]:
        """Return a point of the page, moved along the layers."""
        along, across = spot.along + shift + MARGIN, spot.across + MARGIN
        return (along, across) if self._right else (across, along)

    def corner(self, node: int, width: float) -> tuple[float, float]:
        """Return the upper left corner of a box."""
        x, y = self.point(self._layout.spots[node])
        return round(x - width / 2, 1), round(y - HEIGHT / 2, 1)

    def path(self, begin: int, end: int, passed: Sequence[int], widths: Sequence[float]) -> str:
        """Draw an edge from the side of a box, through some points, to the side of another one."""
        spots = self._layout.spots

        def half(node: int) -> float:
            if node < 0:
                return 0.0
            return widths[node] / 2 if self._right else HEIGHT / 2

        points = [
            self.point(spots[begin], half(begin)),
            *(self.point(spots[node]) for node in passed),
            self.point(spots[end], -half(end)),
        ]
        return "".join(self._curves(points))

    def _curves(self, points: Sequence[tuple[float, float]]) -> Iterator[str]:
        yield f"M{points[0][0]:.0f} {points[0][1]:.0f}"
        for (x, y), (to_x, to_y) in pairwise(points):
            middle_x, middle_y = (x + to_x) / 2, (y + to_y) / 2
            if self._right:
                yield f"C{middle_x:.0f} {y:.0f} {middle_x:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
            else:
                yield f"C{x:.0f} {middle_y:.0f} {to_x:.0f} {middle_y:.0f} {to_x:.0f} {to_y:.0f}"
