"""`python -m simulation`, called in the folder above: many storms, or one in every detail."""

# ruff: noqa: T201 - it is a command

import argparse
import sys
import time

from .history import tell
from .seeds import regression_seeds, run_all, run_seed, store_in_memory
from .storm import Storm


def main() -> int:
    """Run what the command line asks for; return 1 if an invariant does not hold."""
    parser = argparse.ArgumentParser(prog="python -m simulation", description=__doc__)
    parser.add_argument(
        "--seeds", type=int, default=20_000, help="how many randomised runs (20000)"
    )
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--processes", type=int, default=2, help="in how many processes (2)")
    parser.add_argument("--failures", type=int, default=5, help="how many end the search (5)")
    parser.add_argument("--seed", type=int, help="only this one, printing every event")
    options = parser.parse_args()
    if options.seed is not None:
        return run_one(options.seed)
    # Each once: a run key that is used again in one database is another story.
    chosen = range(options.first, options.first + options.seeds)
    seeds = list(dict.fromkeys([*regression_seeds(), *chosen]))
    return run_many(seeds, options.processes, options.failures)


def run_one(seed: int) -> int:
    with store_in_memory() as (store, path):
        storm = Storm(store, path, seed)
        failure = run_seed(storm)
    print(f"seed {seed}: {', '.join(sorted(storm.faults)) or 'no faults'}")
    for step in storm.case.steps:
        print(f"{step}\n    {storm.case.fates[step.id]}")
    print(*tell(storm.world), sep="\n")
    print(f"broke {failure.invariant}: {failure.why}" if failure else "all invariants hold")
    return 1 if failure else 0


def run_many(seeds: list[int], processes: int, most: int) -> int:
    """Run storms until so many have failed, and print those failures."""
    began, ran, failures = time.monotonic(), 0, 0
    for batch, failed in run_all(seeds, processes, most):
        for failure in failed[: most - failures]:
            print(failure, flush=True)
        ran, failures = ran + len(batch), failures + len(failed)
        if failures >= most:
            break
    took = time.monotonic() - began
    print(f"{ran} seeds in {took:.0f} s ({ran / took:.0f} a second)", end=": ")
    print(f"{failures} broke an invariant" if failures else "all invariants hold")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
