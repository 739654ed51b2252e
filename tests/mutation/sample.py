"""Try random mutants with the tests that reach them; list those that no test notices.

The sessions `coverage` and `lowest` have measured what tests reach in their own process. What only
programs reach that tests start is counted apart. It exits with 0 whatever survives: survivors are
to be read, and a sample says nothing about a single change.
"""

# ruff: noqa: T201 - it is a command

import argparse
import os
import subprocess
import sys
import time
from collections import Counter

from .random_mutants import PACKAGES, Mutant, draw
from .reach import Reach
from .trying import mutated, try_all, try_tests


def main() -> int:
    """Draw mutants, try several at once, and print each package's share and the survivors."""
    parser = argparse.ArgumentParser(prog="python -m mutation.sample", description=__doc__)
    parser.add_argument("--number", type=int, default=1000, help="how many mutants")
    parser.add_argument("--seed", type=int, default=0, help="which ones")
    parser.add_argument("--package", default="", choices=PACKAGES, help="only of this package")
    parser.add_argument("--seconds", type=float, help="begin no further mutant after this time")
    jobs = 2 * (os.cpu_count() or 1)
    parser.add_argument("--jobs", type=int, default=jobs, help="how many at once")
    given = parser.parse_args()
    reach, began = Reach(), time.monotonic()
    tried, noticed = Counter[str](), Counter[str]()
    survivors = []

    def judge(mutant: Mutant) -> str | None:
        is_over = given.seconds is not None and time.monotonic() - began > given.seconds
        return None if is_over else verdict(mutant, reach.tests_of(mutant))

    drawn = draw(given.number, given.seed, given.package)
    mutants = [mutant for mutant in drawn if reach.tests_of(mutant)]
    unreached = len(drawn) - len(mutants)
    for mutant, found in try_all(mutants, judge, given.jobs):
        if found is not None:
            tried[mutant.package] += 1
            noticed[mutant.package] += found == NOTICED
            if found != NOTICED:
                survivors.append(f"{mutant.kind}, {found}:\n{mutant.diff()}")
    print(*survivors, sep="\n\n")
    for package, count in sorted(tried.items()):
        print(f"{package}: {noticed[package]} of {count} noticed")
    print(f"seed {given.seed}: {noticed.total()} of {tried.total()} noticed; {unreached} not tried")
    return 0


NOTICED = "noticed"


def verdict(mutant: Mutant, tests: list[str]) -> str:
    with mutated(mutant.path, mutant.text) as environ:
        try:
            killer = try_tests(tests, environ)
        except subprocess.TimeoutExpired:
            killer = "its time limit"
    return f"unnoticed by {len(tests)} tests" if killer is None else NOTICED


if __name__ == "__main__":
    sys.exit(main())
