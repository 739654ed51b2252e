"""A figure, its samples and whether it is met; and the order in which samples are taken.

What is measured, and how, does not belong here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from time import process_time


def digits_of(value: float) -> int:
    """Return how many digits of a value after the point mean something, and are shown."""
    return 0 if value >= 20 else 1 if value >= 10 else 2


@dataclass(frozen=True)
class Figure:
    """A measured figure and its bound.

    Attributes:
        name: What is compared with what.
        samples: One value per round, or per event where a round holds several.
        at_most: The bound; None for a figure that only informs.
        unit: Empty for a ratio.
        note: How it was taken, and what else was seen.
        worst: Whether the largest sample counts, rather than the median.
    """

    name: str
    samples: Sequence[float]
    at_most: float | None = None
    unit: str = ""
    note: str = ""
    worst: bool = False

    @property
    def value(self) -> float:
        """The one number that is held against the bound."""
        return max(self.samples) if self.worst else median(self.samples)

    @property
    def is_met(self) -> bool:
        """Whether the bound holds, if there is one; of the value as it is shown."""
        return self.at_most is None or round(self.value, digits_of(self.value)) <= self.at_most

    @property
    def spread(self) -> tuple[float, float]:
        """The quartiles, or the extremes where there are few samples."""
        if len(self.samples) < 4:
            return min(self.samples), max(self.samples)
        first, _, third = quantiles(self.samples, n=4, method="inclusive")
        return first, third


def interleave(rounds: int, actions: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Take a sample of every action in each round, each round beginning with another action.

    What slows the machine for a while then slows all of them, and none always runs first.
    """
    samples: dict[str, list[float]] = {name: [] for name in actions}
    names = list(actions)
    for number in range(rounds):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(actions[name]())
    return samples


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Divide the samples of one action by those of another, round by round."""
    return [mine / other for mine, other in zip(ours, theirs, strict=True)]


def fastest(samples: Mapping[str, Sequence[float]]) -> str:
    """Name the action with the smallest median."""
    return min(samples, key=lambda name: median(samples[name]))


def timed(action: Callable[[], object]) -> Callable[[], float]:
    """Turn an action into one that returns how many seconds of this process it took."""

    def act() -> float:
        began = process_time()
        action()
        return process_time() - began

    return act
