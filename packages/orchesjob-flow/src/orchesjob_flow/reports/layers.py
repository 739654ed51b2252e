"""Drawing a graph in layers: which node stands where, so that edges cross little and run short.

The method of Sugiyama: edges that cross a layer pass through a point in it, each layer is put into
the order of what its nodes are joined to, and then each node is moved towards that. Numbers only:
what the nodes are is not known here.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import fmean
from typing import NamedTuple

SWEEPS = 6


class Size(NamedTuple):
    """How much room a node takes along the direction of the layers, and across it."""

    along: float
    across: float


class Spot(NamedTuple):
    """Where the middle of a node is."""

    along: float
    across: float


class Layout(NamedTuple):
    """The middles of all nodes, the points through which each edge runs, and the size of it all."""

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
    """Place the nodes of some layers, of which each edge leads to a later one."""
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
    across = place_across(rows, before, after, sizes, gap.across)
    spots: dict[int, Spot] = {}
    along = 0.0
    for row in rows:
        depth = max((sizes[node].along for node in row), default=0.0)
        spots.update((node, Spot(along + depth / 2, across[node])) for node in row)
        along += depth + (gap.along if depth else gap.along / 2)
    width = max((across[node] + sizes[node].across / 2 for node in across), default=0.0)
    return Layout(spots, routes, max(0.0, along - gap.along), width)


def put_in_order(
    rows: list[list[int]], joined: Mapping[int, Sequence[int]], *, backwards: bool
) -> None:
    """Put each layer into the order of what its nodes are joined to in the one before."""
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


def place_across(
    rows: Sequence[Sequence[int]],
    before: Mapping[int, Sequence[int]],
    after: Mapping[int, Sequence[int]],
    sizes: Mapping[int, Size],
    gap: float,
) -> dict[int, float]:
    """Return the place of each node across the layers: near what it is joined to, not too near."""
    places: dict[int, float] = {}
    widths = [sum(sizes[node].across + gap for node in row) for row in rows]
    widest = max(widths, default=0.0) or 1.0
    for row, width in zip(rows, widths, strict=True):
        edge = -width / 2
        for node in row:
            places[node] = edge + sizes[node].across / 2
            edge += sizes[node].across + gap
    both = {node: [*before.get(node, ()), *after.get(node, ())] for node in places}
    top_down = list(zip(rows, widths, strict=True))
    for joined in (before, after, before, *[both] * SWEEPS):
        for row, width in reversed(top_down) if joined is after else top_down:
            found = list(apart(row, wishes(row, joined, places), sizes, gap))
            # The wider a layer, the more it is kept in the middle: else layers would drift away.
            shift = width / widest * fmean(found) if found else 0.0
            places.update((node, place - shift) for node, place in zip(row, found, strict=True))
    first = min((places[node] - sizes[node].across / 2 for node in places), default=0.0)
    return {node: place - first for node, place in places.items()}


def wishes(
    row: Sequence[int], joined: Mapping[int, Sequence[int]], places: Mapping[int, float]
) -> Iterator[float]:
    """Yield where the nodes of a layer want to be: in the middle of what they are joined to.

    One that is joined to nothing wants to be where the one before it does.
    """
    last: float | None = None
    for node in row:
        others = joined.get(node)
        if others:
            last = fmean([places[other] for other in others])
        yield places[node] if last is None else last


def apart(
    row: Sequence[int], wanted: Iterable[float], sizes: Mapping[int, Size], gap: float
) -> Iterator[float]:
    """Yield places that are as near to the wanted ones as can be, in order and not too close.

    Neighbours that want to be closer form a block, which stands where the mean of its wishes is.
    """
    offsets, edge = [], 0.0
    for node in row:
        offsets.append(edge + sizes[node].across / 2)
        edge += sizes[node].across + gap
    blocks: list[tuple[float, int]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        mean, count = want - offset, 1
        while blocks and blocks[-1][0] > mean:
            earlier, number = blocks.pop()
            mean = (earlier * number + mean * count) / (number + count)
            count += number
        blocks.append((mean, count))
    means = (mean for mean, count in blocks for _ in range(count))
    yield from (mean + offset for mean, offset in zip(means, offsets, strict=True))
