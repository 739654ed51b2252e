"""Storms: every kind of fault at once, and all that must hold checked all the time.

These are the first few; `python3 noxfile.py -s simulation` runs many more.
"""

from itertools import batched

import pytest

from .seeds import run_batch, seeds_of_old

SEEDS = [*seeds_of_old(), *range(300)]


@pytest.mark.parametrize(
    "seeds", list(batched(SEEDS, 50)), ids=lambda seeds: f"{seeds[0]}-{seeds[-1]}"
)
def test_storms(seeds: tuple[int, ...]) -> None:
    """Whatever happens, no promise is broken, and a run left in peace ends (5.1 to 5.10)."""
    assert not "\n\n".join(map(str, run_batch(seeds)))
