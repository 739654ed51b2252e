"""Which tests reach a line in their own process, as `coverage` and `lowest` have measured."""

import re
from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

from .random_mutants import ROOT, Mutant

DATA = ROOT / ".coverage"
MOST_TESTS = 60
"""How many test functions judge a mutant, those first that reach the least besides its line."""


class Reach:
    """What was measured: the tests by module and line."""

    def __init__(self, path: Path = DATA) -> None:
        """Read it.

        Raises:
            FileNotFoundError: Nothing was measured.
        """
        from coverage import CoverageData  # only the session `mutants` has it

        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: run the session `coverage` first")
        data = CoverageData(str(path))
        data.read()
        self._sizes = Counter[str]()
        self._tests: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        # A package may have been measured both in its place and where it was installed.
        for name in data.measured_files():
            for line, contexts in data.contexts_by_lineno(name).items():
                tests = {node_of(context) for context in contexts if "::" in context}
                self._tests[module_of(Path(name))][line] |= tests
                self._sizes.update(tests)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that judge a mutant, the most specific ones first.

        What runs at import counts for every test that reaches the module. Within a statement of
        several lines, the last one counts that was measured.
        """
        lines = self._tests[module_of(mutant.path)]
        if mutant.in_function:
            measured = sorted(lines)
            place = bisect_right(measured, mutant.line)
            tests = lines[measured[place - 1]] if place else set()
        else:
            tests = set().union(*lines.values())
        return sorted(tests, key=lambda test: (self._sizes[test], test))[:MOST_TESTS]


def module_of(path: Path) -> str:
    parts = path.parts
    places = [place for place, part in enumerate(parts) if part in ("src", "site-packages")]
    return "/".join(parts[places[-1] + 1 :]) if places else str(path)


def node_of(context: str) -> str:
    """Return the name of a test function from the context under which coverage knows it.

    That is the folder and the test with a bar between them, or the test alone. The parameters are
    left out: versions of pytest name them differently.
    """
    return re.sub(r"^(packages/[^/]+/)\|", r"\1", context).partition("[")[0]
