"""Storms: randomised runs with many kinds of faults, and every invariant checked at every event.

These are the first few seeds; `python3 noxfile.py -s simulation` runs many more.
"""

from itertools import batched

import pytest

from .seeds import regression_seeds, run_batch

pytestmark = pytest.mark.heavy

SEEDS = [*regression_seeds(), *range(100)]


@pytest.mark.parametrize(
    "seeds", list(batched(SEEDS, 50)), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}"
)
def test_storms(seeds: tuple[int, ...]) -> None:
    """Whatever happens, every invariant holds, and a run left in peace ends (5.1 to 5.10)."""
    assert not "\n\n".join(map(str, run_batch(seeds)))
