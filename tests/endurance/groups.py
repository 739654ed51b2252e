"""Fifty starts of one group at once; runners are killed. Slow: the session `storm` runs it.

The seed is part of the test's name; `STORM_SEED` repeats it.
"""

import os
import secrets
from pathlib import Path

import pytest

from support.crowding import start_crowd
from support.flow import Flow

RUNS = 50
SEED = int(os.environ.get("STORM_SEED") or secrets.randbelow(10**6))


@pytest.mark.integration
@pytest.mark.parametrize("seed", [SEED])
def test_a_crowd(real_flow: Flow, tmp_path: Path, seed: int) -> None:
    """One run at a time, each of them to its end, and nothing twice (rule 10.7)."""
    start_crowd(real_flow, tmp_path, runs=RUNS, kills=RUNS, seed=seed)
