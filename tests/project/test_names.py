"""What documents for developers, docstrings and comments name in backticks exists, so named.

Paths begin where CONTRIBUTING says: in the program, with the name of another package, or at the
root. A file alone may be anywhere. In all else each word must be one that the code defines, or a
string of it, such as a field, a command or an option; or a session, a module or a distribution.
"""

import ast
import builtins
import re
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "docs" / "architecture.md", ROOT / "CONTRIBUTING.md"]
PROGRAM = ROOT / "packages" / "orchesjob-flow" / "src" / "orchesjob_flow"
PLACES = [PROGRAM, *ROOT.glob("packages/*/src"), ROOT]
FILE = r"[\w.*-]+\.(?:py|md|txt|toml)"
FOREIGN = {
    *("FULL", "NORMAL", "synchronous"),  # SQLite
    *("apt", "install", "localedef", "postgresql", "python3-venv", "redis-server"),
    *("chg", "flock", "multiprocessing", "python3", "systemd-run", "--scope", "venv"),
}
"""Words of other programs."""
EXAMPLES = {"/proc", "KEY", "NAME", "PYTHON*", "echo", "nightly", "utils", "v0.2.0"}
"""Words that stand for others, and what is named because it is not there."""
OF_TESTS = {"PLAIN_START", "console"}
"""A variable and the language of a block that the tests know."""
MADE = {".nox/bootstrap", ".site/", "dist/", "locks/KEY.calls", "locks/KEY.lock"}
MADE |= {"locks/calls-N.slot", "locks/calls.queue"}
"""Files and folders that are there when the program runs, or has been built."""

OF_OTHERS = {"DAG", "TaskGroup", "futures", "sdk"} | {"auxv", "nohup", "quantile", "recursive"}
"""What docstrings name of Airflow, the standard library, /proc, the shell and other programs."""


def prose(document: Path) -> str:
    text = document.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def sources(*patterns: str) -> list[Path]:
    return [path for pattern in patterns for path in sorted(ROOT.glob(pattern))]


def named_in(tree: ast.AST) -> set[str]:
    """Return the names that a piece of code defines, and its strings."""
    found: set[str] = set()
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.arg(arg=name):
                found.add(name)
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                found.add(name)
            case ast.Constant(value=str(text)):
                found |= {text, *text.split("/")} if text.startswith("-") else {text}
            case _:
                pass
    return found


@cache
def named_in_file(path: Path) -> set[str]:
    return named_in(ast.parse(path.read_text(encoding="utf-8")))


@cache
def known() -> set[str]:
    modules = sources("packages/*/src/**/*.py")
    words = set().union(*map(named_in_file, modules))
    for path in sources("tests/**/*.py", "packages/*/tests/**/*.py", "noxfile.py"):
        words |= set(re.findall(r"\b(?:def|class) (\w+)", path.read_text(encoding="utf-8")))
    files = {part for path in modules for part in path.with_suffix("").relative_to(ROOT).parts}
    return words | files | FOREIGN | EXAMPLES | OF_TESTS


@cache
def members() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for path in sources("packages/*/src/**/*.py"):
        if path.name == "__init__.py":
            found[path.parent.name] = named_in_file(path)
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, set()).update(named_in(node))
    return found


def is_path(code: str) -> bool:
    """Tell whether a code is the path of something, and not of a file that a program makes."""
    return " " not in code and ("/" in code or re.fullmatch(FILE, code) is not None)


def found_at(path: str) -> list[Path]:
    """Return where a path leads to; a file alone is looked for everywhere."""
    anywhere = [] if "/" in path else sources(f"tests/**/{path}", f"packages/*/*/**/{path}")
    return anywhere + [found for place in PLACES for found in place.glob(path)]


def wrong_in(code: str) -> list[str]:
    if code in MADE | FOREIGN | EXAMPLES or code.startswith(("-- ", "/proc/")):
        return []  # after `-- ` are the arguments of a session
    if is_path(code):
        return [] if found_at(code) else [code]
    if match := re.fullmatch(r"([A-Za-z]\w+)\.(\w+)", code):
        return [] if match[2] in members().get(match[1], set()) else [code]
    words = re.findall(r"--[\w-]+|/?[\w][\w./*-]*\w", code)
    return [word for word in words if not is_known(word)]


def is_known(word: str) -> bool:
    if word in known() or word.isdecimal() or (is_path(word) and found_at(word)):
        return True
    parts = re.findall(r"\w+", word)
    return parts != [word] and all(len(part) == 1 or part in known() for part in parts)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_there(document: Path) -> None:
    """Every path and every name in backticks is there."""
    codes = set(re.findall(r"`([^`\n]+)`", prose(document)))
    assert len(codes) > 80
    assert {code: wrong for code in sorted(codes) if (wrong := wrong_in(code))} == {}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_is_named_is_where_it_is_said_to_be(document: Path) -> None:
    """A name "in" a file, or "(NAME in FILE)", is one that this file defines or has as a string."""
    said = re.findall(r"`([A-Za-z_]\w+)`\s+in\s+`([\w./]+\.py)`", prose(document))
    assert said
    missing = [
        (name, path)
        for name, path in said
        if not any(name in named_in_file(found) for found in found_at(path))
    ]
    assert missing == []


def hard_to_guess() -> list[list[str]]:
    """Return the rows of CONTRIBUTING's tables of places: what to change, where, and what else."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    section = text.partition("\n## Where to change what\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [row for row in rows if not row[0].startswith((" To ", " ---"))]


@pytest.mark.parametrize("row", hard_to_guess(), ids=lambda row: row[0].strip())
def test_a_place_that_is_hard_to_guess(row: list[str]) -> None:
    """A row of the tables has a path, each path is at one place, and each name is in a file."""
    _, place, then = row
    paths = [code for code in re.findall(r"`([^`]+)`", f"{place} {then}") if is_path(code)]
    found = {path: [one for root in PLACES for one in root.glob(path)] for path in paths}
    assert [path for path, at in found.items() if len(at) != 1] == []
    names = re.findall(r"`([A-Za-z_]\w+)[^`/.]*`", place)
    assert names == re.findall(r"`([A-Za-z_]\w+)`\s+in\s+`[\w./]+\.py`", place)
    assert paths


@cache
def used() -> set[str]:
    """Return the words that the code of the packages uses, besides what it defines."""
    found = known() | OF_OTHERS | {*dir(builtins), *sys.stdlib_module_names}
    for path in sources("packages/*/src/**/*.py", "packages/*/*.py"):
        found |= set(path.with_suffix("").parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = {id(text) for text in sentences_in(tree)}
        for node in ast.walk(tree):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                    found.add(name)
                case ast.alias(name=name):
                    found |= set(name.split("."))
                case ast.Constant(value=str(text)) if id(node) not in texts:
                    found |= set(re.findall(r"\w+", text))
                case _:
                    pass
    return found


def sentences_in(tree: ast.AST) -> list[ast.Constant]:
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]


def missing_in(code: str) -> list[str]:
    """Return what a name in a docstring names, but is not there; `module.name` is in the module."""
    words = re.findall(r"\w+", code)
    if code in known() or (is_path(code) and (found_at(code) or sources(f"packages/*/{code}"))):
        return []
    modules = sources(f"packages/*/src/**/{words[0]}.py") if len(words) == 2 else []
    if modules and not any(words[1] in named_in_file(path) for path in modules):
        return [code]
    return [word for word in words if word not in used()]


@pytest.mark.parametrize("package", sorted(path.name for path in ROOT.glob("packages/*")))
def test_what_code_names_is_there(package: str) -> None:
    """Every plain or dotted name in backticks, in docstrings and comments, is there."""
    wrong = {}
    for path in sources(f"packages/{package}/src/**/*.py"):
        text = path.read_text(encoding="utf-8")
        said = [str(sentence.value) for sentence in sentences_in(ast.parse(text))]
        codes = re.findall(
            r"`([A-Za-z]\w*(?:\.\w+)*)`", "\n".join([*said, *re.findall("#.*", text)])
        )
        missing = [code for code in dict.fromkeys(codes) if missing_in(code)]
        if missing:
            wrong[path.name] = missing
    assert wrong == {}


SHARED = {
    *("TYPE_CHECKING", "main", "drive"),  # a command is named as it is called
    *("DEFAULT_POLL_INTERVAL_SEC", "DeclaredError", "NEWEST", "PATIENCE_SEC", "quoted"),
}
"""Names of two modules: they mean the same where one cannot import, or should not load, another."""


def test_one_name_for_one_thing() -> None:
    """No public function, class or constant of a module has the name of one in another module."""
    found = defaultdict(list)
    for path in sources("packages/*/src/**/*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            match node:
                case (
                    ast.FunctionDef(name=name)
                    | ast.ClassDef(name=name)
                    | ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    found[name].append(path.name)
    assert {name for name, at in found.items() if len(at) > 1 and name[0] != "_"} == SHARED
