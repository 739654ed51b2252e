"""Runs of one group whose runners are killed. Slow: the session `storm` runs it.

The seed is part of the test's name; `STORM_SEED` repeats it.
"""

import os
import secrets
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from support.crowding import replace_each_other, start_crowd
from support.flow import Flow

RUNS = 50
PIECES, ROUNDS = 20, 10
SEED = int(os.environ.get("STORM_SEED") or secrets.randbelow(10**6))


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
def test_a_crowd(real_flow: Flow, tmp_path: Path, seed: int) -> None:
    """One run at a time, each of them to its end, and nothing twice (rule 10.7)."""
    start_crowd(real_flow, tmp_path, runs=RUNS, kills=RUNS, seed=seed)


@pytest.mark.integration
@pytest.mark.parametrize("piece", range(PIECES))
@pytest.mark.parametrize("seed", [SEED])
def test_replaced(real_flow: Flow, tmp_path: Path, seed: int, piece: int) -> None:
    """200 rounds: the newest run remains, and `finally` of each run that began has run once."""
    random = Random(f"{seed} {piece}")  # noqa: S311 - no secret
    ended: Counter[str] = Counter()
    for number in range(ROUNDS):
        ended += replace_each_other(real_flow, tmp_path, f"r{number}", random)
    print(f"\n{ROUNDS} rounds, seed {seed}: {dict(ended)}")  # noqa: T201 - it is a figure
