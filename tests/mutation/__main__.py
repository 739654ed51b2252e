"""Make one mutant after the other and see which test notices; exit 1 if one survives."""

# ruff: noqa: T201 - it is a command

import argparse
import os
import subprocess
import sys
import time

from .mutations import MUTATIONS, Mutation
from .trying import mutated, try_all, try_simulation, try_tests

KILLED, SURVIVED = "killed by", "SURVIVED"


def main() -> int:
    """Try the mutations whose names contain a word, or all; several at once."""
    parser = argparse.ArgumentParser(prog="python -m mutation", description=__doc__)
    parser.add_argument("word", nargs="?", default="", help="only mutations whose name contains it")
    # Many of their tests wait for something that the mutant keeps from happening.
    jobs = 3 * (os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help="how many at once")
    given = parser.parse_args()
    chosen = [mutation for mutation in MUTATIONS if given.word in mutation.name]
    weak = []
    for mutation, outcome in try_all(chosen, try_mutation, given.jobs):
        print(f"{mutation.name}: {outcome}", flush=True)
        if not outcome.startswith(KILLED):
            weak.append(f"{outcome}: {mutation.name}")
    survived = sum(line.startswith(SURVIVED) for line in weak)
    print(f"{len(chosen)} mutants, {survived} survived", *weak, sep="\n")
    return 1 if survived else 0


def try_mutation(mutation: Mutation) -> str:
    """Make a mutant, twice if its tests notice nothing at first, and say what became of it.

    A test that notices a mutant only at times is weak, which the end of the log tells as well. The
    simulation repeats itself, and is not asked twice.
    """
    began = time.monotonic()
    if killer := find_killer(mutation):
        return f"{KILLED} {killer} in {time.monotonic() - began:.1f} s"
    if mutation.tests and (killer := find_killer(mutation)):
        return f"BY CHANCE, at the second try, {KILLED} {killer}"
    return SURVIVED


def find_killer(mutation: Mutation) -> str | None:
    """Make a mutant; return what notices it, or None."""
    with mutated(*mutation.mutant()) as environ:
        try:
            if mutation.tests:
                return try_tests(mutation.arguments(), environ)
            return try_simulation(environ)
        except subprocess.TimeoutExpired:
            return "its time limit"


if __name__ == "__main__":
    sys.exit(main())
