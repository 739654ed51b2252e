"""`python -m simulation`, called in the folder above: many storms, or one that is told in full."""

# ruff: noqa: T201 - it is a command

import argparse
import sys
import time

from .history import tell
from .seeds import run_all, run_seed, seeds_of_old, store_in_memory
from .storm import Storm

SHOWN = 5


def main() -> int:
    """Run what the command line asks for; return 1 if a promise does not hold."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20_000, help="how many storms (20000)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--processes", type=int, default=2, help="how many at once (2)")
    parser.add_argument("--seed", type=int, help="only this one, with all that happens in it")
    options = parser.parse_args()
    if options.seed is not None:
        return run_one(options.seed)
    seeds = [*seeds_of_old(), *range(options.first, options.first + options.seeds)]
    return run_many(seeds, options.processes)


def run_one(seed: int) -> int:
    """Let one storm rage and tell its story."""
    with store_in_memory() as (store, path):
        storm = Storm(store, path, seed)
        failure = run_seed(storm)
    print(f"seed {seed}: {', '.join(sorted(storm.faults)) or 'no faults'}")
    for step in storm.case.steps:
        print(f"{step}\n    {storm.case.fates[step.id]}")
    print(*tell(storm.world), sep="\n")
    print(f"broke {failure.invariant}: {failure.why}" if failure else "all promises hold")
    return 1 if failure else 0


def run_many(seeds: list[int], processes: int) -> int:
    """Let storms rage, up to a few failures, and show those."""
    began, raged, failures = time.monotonic(), 0, 0
    for batch, failed in run_all(seeds, processes):
        for failure in failed[: SHOWN - failures]:
            print(failure, flush=True)
        raged, failures = raged + len(batch), failures + len(failed)
        if failures >= SHOWN:
            break
    took = time.monotonic() - began
    print(f"{raged} seeds in {took:.0f} s ({raged / took:.0f} a second)", end=": ")
    print(f"{failures} broke a promise" if failures else "all promises hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
