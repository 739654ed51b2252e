"""The mutations that `mutations.txt` lists: what each takes away, and which tests must notice.

An entry begins with its name. The next line has the package, and the arguments of pytest for the
tests of which one must fail then: first their module, `NAME` or `FOLDER/NAME`. Without them, the
simulation must see an invariant broken. After `-` is code that the package has once, after `+` what
replaces it.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENTRIES = Path(__file__).with_name("mutations.txt").read_text(encoding="utf-8").split("\n\n")
CHANGE = re.compile(r"((?:^-.*\n)+)((?:^\+.*(?:\n|\Z))+)", re.MULTILINE)


class Mutation(NamedTuple):
    """One protection taken out of a package."""

    name: str
    package: str
    tests: list[str]
    changes: list[tuple[str, str]]

    def mutant(self) -> tuple[Path, str]:
        """Return the path of the module that it changes, and the text of the changed one.

        Raises:
            ValueError: What it replaces is not there exactly once.
        """
        texts, path = dict(sources(self.package)), ROOT
        for old, new in self.changes:
            if sum(text.count(old) for text in texts.values()) != 1:
                raise ValueError(f"{self.name}: not there exactly once: {old}")
            (path,) = (each for each, text in texts.items() if old in text)
            texts[path] = texts[path].replace(old, new)
        return path, texts[path]

    def arguments(self) -> list[str]:
        """Return the arguments of pytest.

        Raises:
            ValueError: There is no such module of tests, or more than one.
        """
        module, *options = self.tests
        folder, _, name = module.rpartition("/")
        places = (ROOT / "tests", *ROOT.glob("packages/*/tests"))
        found = [path for place in places for path in place.rglob(f"{name}.py")]
        (path,) = (path for path in found if folder in ("", *path.relative_to(ROOT).parts))
        return [str(path), *options]


@cache
def sources(package: str) -> dict[Path, str]:
    modules = (ROOT / "packages" / package / "src").rglob("*.py")
    return {path: path.read_text(encoding="utf-8") for path in modules}


def read(entry: str) -> Mutation:
    name, where, changes = entry.split("\n", 2)
    package, *tests = where.split()
    return Mutation(
        name, package, tests, [(code(old), code(new)) for old, new in CHANGE.findall(changes)]
    )


def code(lines: str) -> str:
    return "\n".join(line[2:] for line in lines.splitlines())


MUTATIONS = [read(entry) for entry in ENTRIES]
