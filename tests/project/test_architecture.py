"""What may import what, and where the outside world begins: read from the source, not run."""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"

# All that is not of the standard library, nor of the package itself.
ARROWS = {
    "flow_conditions": set(),
    "flow_spec": {
        *("attrs", "cattrs", "flow_conditions", "tree_sitter", "tree_sitter_bash", "yaml"),
    },
    "flow_store": set(),
    "orchesjob_client": set(),
    "orchesjob_flow": {
        *("attrs", "click", "jinja2", "markupsafe", "wcwidth"),
        *("flow_conditions", "flow_spec", "flow_store", "orchesjob_client"),
    },
    "orchesjob_flow_airflow": {"airflow", "flow_conditions", "flow_spec", "orchesjob_client"},
}
ENTRY_POINTS = {
    "orchesjob_flow.__main__",
    "orchesjob_flow.main",
    "orchesjob_flow_airflow",
    "orchesjob_flow_airflow.provider",
}

PROGRAM = "orchesjob_flow"
DRAWING = PACKAGES.parent / "docs" / "architecture.md"

# The engine decides: it has no clock, no file, no process and no thread.
ENGINE = "orchesjob_flow.engine"
WORLD = {
    *("asyncio", "concurrent", "ctypes", "datetime", "fcntl", "importlib", "io", "logging"),
    *("multiprocessing", "os", "pathlib", "queue", "random", "resource", "secrets", "select"),
    *("selectors", "shutil", "signal", "socket", "sqlite3", "subprocess", "sys", "tempfile"),
    *("threading", "time", "uuid", "click"),
}
"""Modules through which a program reaches its surroundings."""
ACTORS = {
    "orchesjob_flow.clock.now",
    "flow_store.FlowStore",
    *("orchesjob_client.JobWatcher", "orchesjob_client.OrchesjobClient"),
}
"""What our own packages offer that does the same; their values may be used."""

# The outermost layers, where the surroundings of the process are looked at. The others are told.
OUTERMOST = {
    "time.time": {
        *("orchesjob_flow.clock", "orchesjob_flow.commands", "orchesjob_flow.views"),
        "orchesjob_flow_airflow",
    },
    "os.environ": {
        *("orchesjob_flow.main", "orchesjob_flow.cli", "orchesjob_flow.home"),
        *("orchesjob_flow.views", "orchesjob_client", "orchesjob_flow_airflow"),
    },
    "sys.stdout": {"orchesjob_flow.main", "orchesjob_flow.views"},
    "sys.stderr": {"orchesjob_flow.main", "orchesjob_flow.views"},
    "sys.argv": {"orchesjob_flow.main"},
    "click.echo": set(),
    "print": set(),
    "input": set(),
}


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGES).with_suffix("").parts[2:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {name_of(path): path for path in sorted(PACKAGES.glob("*/src/**/*.py"))}


@cache
def tree(module: str) -> ast.Module:
    return ast.parse(SOURCES[module].read_text(encoding="utf-8"))


def run_at_once(module: str) -> Iterator[ast.AST]:
    """Yield the nodes of a module that run when it is imported.

    These are not those within functions, nor those that only type checkers see.
    """
    todo: list[ast.AST] = [tree(module)]
    while todo:
        node = todo.pop()
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                continue
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                todo.extend(node.orelse)
            case _:
                yield node
                todo.extend(ast.iter_child_nodes(node))


@cache
def imports(module: str, *, at_once: bool = False) -> frozenset[str]:
    """Return what a module imports: modules, and names in modules.

    With `at_once` only what is imported as soon as the module is.
    """
    found: set[str] = set()
    for node in run_at_once(module) if at_once else ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def arrows(module: str, *, at_once: bool = False) -> set[str]:
    names = {name if name in SOURCES else parent(name) for name in imports(module, at_once=at_once)}
    return names & set(SOURCES) - {module}


def strings(module: str) -> set[str]:
    nodes = list(ast.walk(tree(module)))
    texts = {n.value for n in nodes if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    return texts if "import_module" in uses(module) else set()


def parent(name: str) -> str:
    return name.rpartition(".")[0]


@cache
def uses(module: str) -> set[str]:
    nodes = list(ast.walk(tree(module)))
    dotted = {
        f"{node.value.id}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
    }
    return dotted | {node.id for node in nodes if isinstance(node, ast.Name)}


@pytest.mark.parametrize("package", ARROWS)
def test_arrows(package: str) -> None:
    """A package imports exactly what its place in the graph allows (section 7)."""
    modules = [module for module in SOURCES if module.split(".")[0] == package]
    roots = {name.split(".")[0] for module in modules for name in imports(module)}
    assert roots - set(sys.stdlib_module_names) - {package} == ARROWS[package]


@pytest.mark.parametrize("package", ARROWS)
def test_no_package_looks_into_another(package: str) -> None:
    """Packages know each other by the names that they import into their own module."""
    modules = [module for module in SOURCES if module.split(".")[0] == package]
    foreign = {
        name
        for module in modules
        for name in imports(module)
        if name.split(".")[0] in set(ARROWS) - {package}
    }
    assert {name for name in foreign if name.count(".") > 1} == set()


def test_every_module_is_needed() -> None:
    """Each module is imported by another one, or is where a program begins."""
    needed = {name for module in SOURCES for name in arrows(module)}
    parts = {parent(module) for module in SOURCES}
    named = {text for module in SOURCES for text in strings(module)}
    left = set(SOURCES) - needed - parts - ENTRY_POINTS
    assert {module for module in left if module.rpartition(".")[2] not in named} == set()


def test_no_cycles() -> None:
    """The modules have an order in which they can be read, one after the other."""
    graph = {
        module: arrows(module, at_once=True)
        | {name for name in arrows(module) if SOURCES[name].parent != SOURCES[module].parent}
        for module in SOURCES
    }
    assert set(TopologicalSorter(graph).static_order()) == set(SOURCES)


def drawn_parts() -> dict[str, list[str]]:
    """Read the drawing: what each part imports of the program, in the order of the lines."""
    text = DRAWING.read_text(encoding="utf-8")
    section = text.partition("## The parts of the program\n")[2]
    lines = section.partition("```text\n")[2].partition("```")[0].splitlines()
    return {part.strip(): named.split() for part, named in (line.split("->") for line in lines)}


def test_rooms() -> None:
    """Each part imports what the drawing in docs/architecture.md says, no more and no less."""
    found: dict[str, set[str]] = {}
    for module in SOURCES:
        if module.startswith(f"{PROGRAM}."):
            part = module.split(".")[1]
            named = {
                name.split(".")[1] for name in imports(module) if name.startswith(f"{PROGRAM}.")
            }
            found[part] = found.get(part, set()) | named - {part}
    drawn = {part: set(named) for part, named in drawn_parts().items()}
    assert {part: named for part, named in found.items() if named} == drawn


def test_no_arrow_runs_back() -> None:
    """In the drawing, a part imports only parts that are drawn below it, or that import none."""
    above: set[str] = set()
    for part, named in drawn_parts().items():
        above.add(part)
        assert above & set(named) == set(), part


def test_the_engine_is_pure() -> None:
    """The engine imports nothing through which it could reach the world."""
    modules = [module for module in SOURCES if is_in(module, {ENGINE})]
    assert len(modules) > 5
    names = {name for module in modules for name in imports(module)}
    assert {name for name in names if name.split(".")[0] in WORLD} == set()
    assert names & ACTORS == set()
    assert {name for module in SOURCES for name in imports(module)} >= ACTORS
    assert {module for module in modules if "open" in uses(module)} == set()


def is_in(module: str, places: set[str]) -> bool:
    return any(f"{module}.".startswith(f"{place}.") for place in places)


@pytest.mark.parametrize("name", OUTERMOST)
def test_the_world_is_outside(name: str) -> None:
    """Clock, environment and standard streams belong to the outermost layers."""
    users = {module for module in SOURCES if name in uses(module)}
    assert {module for module in users if not is_in(module, OUTERMOST[name])} == set()
    assert set(SOURCES) >= OUTERMOST[name]
