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
    "flow_spec": {"attrs", "cattrs", "flow_conditions", "yaml"},
    "flow_store": set(),
    "orchesjob_client": {"attrs"},
    "orchesjob_flow": {
        *("attrs", "click", "jinja2", "markupsafe", "tabulate", "wcwidth"),
        *("flow_conditions", "flow_spec", "flow_store", "orchesjob_client"),
    },
    "orchesjob_flow_airflow": {"airflow", "flow_spec", "orchesjob_client"},
}
ENTRY_POINTS = {
    "orchesjob_flow.__main__",
    "orchesjob_flow.main",
    "orchesjob_flow_airflow",
    "orchesjob_flow_airflow.provider",
}

PROGRAM = "orchesjob_flow"
DRAWING = PACKAGES.parent / "docs" / "architecture.md"

# The engine decides: it has no clock, no file, no process and no thread. What it knows of its
# surroundings are the values in which they speak.
ENGINE = "orchesjob_flow.engine"
ENGINE_MAY_IMPORT = {
    *("attrs", "collections", "collections.abc", "enum", "graphlib", "heapq", "itertools"),
    "typing",
    "flow_conditions.Name",
    *("flow_spec.EnvFile", "flow_spec.FlowSpec", "flow_spec.StepSpec", "flow_spec.holds"),
    *("flow_spec.Block", "flow_spec.base_of", "flow_spec.holds_of_copies"),
    "flow_spec.program_as_script",
    *("flow_store.Attempt", "flow_store.AttemptStatus", "flow_store.CancelRequest"),
    *("flow_store.Changes", "flow_store.Deadline", "flow_store.FlowStatus", "flow_store.Run"),
    *("flow_store.GroupPlace", "flow_store.Queue"),
    *("flow_store.Reopening", "flow_store.RunHeader"),
    *("flow_store.DamagedRecord", "flow_store.Outcome", "flow_store.reported_job"),
    *("flow_store.Step", "flow_store.StepStatus", "flow_store.Person", "flow_store.Settlement"),
    *("orchesjob_client.JobReport", "orchesjob_client.JobStatus", "orchesjob_client.Process"),
    *("orchesjob_client.describe_failure", "orchesjob_client.describe_loss"),
    "orchesjob_client.exit_code_of",
    *("orchesjob_client.OrchesjobError", "orchesjob_client.BadAnswer", "orchesjob_client.Watch"),
    *("orchesjob_client.DEFAULT_GRACE_SEC", "orchesjob_client.DEFAULT_START_TIMEOUT_SEC"),
    "orchesjob_flow.attempt_key.attempt_key",
    *("orchesjob_flow.call_backoff.FIRST_BACKOFF_SEC", "orchesjob_flow.call_backoff.longer"),
    "orchesjob_flow.clock.Now",
    *("orchesjob_flow.errors.NothingToRetry", "orchesjob_flow.errors.OutcomesDiffer"),
    *("orchesjob_flow.errors.NoCopies", "orchesjob_flow.errors.NothingToSettle"),
}

# Where the surroundings of the process are looked at; everything else is told.
OUTERMOST = {
    "time.time": {
        *("orchesjob_flow.clock", "orchesjob_flow.commands.cancel"),
        *("orchesjob_flow.commands.prune", "orchesjob_flow.commands.recording"),
        *("orchesjob_flow.commands.report", "orchesjob_flow.commands.stats"),
        *("orchesjob_flow.views.printed_table", "orchesjob_flow.views.screen"),
        "orchesjob_flow_airflow.flow_as_task.operator",
    },
    "os.environ": {
        *("orchesjob_flow.main", "orchesjob_flow.home.settings", "orchesjob_flow.views.terminal"),
        "orchesjob_flow.views.form",
        "orchesjob_flow.cli.shells",  # which a shell's script asks by variables
        *("orchesjob_client.client", "orchesjob_client.processes.ps"),
        "orchesjob_client.encoding",  # which passes them on as they are
        "orchesjob_flow_airflow.flow_as_dag.authoring.flow_cache",
        "orchesjob_flow_airflow.flow_as_dag.operators.step_operator",
        "orchesjob_flow_airflow.flow_as_task.program",
    },
    "sys.stdout": {
        "orchesjob_client.forkserver.server",  # a program of its own
        *("orchesjob_flow.main", "orchesjob_flow.views.run_json"),
        *("orchesjob_flow.views.streams", "orchesjob_flow.views.terminal"),
    },
    "sys.stderr": {
        "orchesjob_client.forkserver.server",
        *("orchesjob_flow.views.streams", "orchesjob_flow.views.terminal"),
    },
    "sys.argv": {"orchesjob_flow.main", "orchesjob_client.forkserver.server"},
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


def imports(module: str, *, at_once: bool = False) -> Iterator[str]:
    """Yield what a module imports: modules, and names in modules.

    With `at_once` only what is imported as soon as the module is.
    """
    for node in tree(module).body if at_once else ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def parent(name: str) -> str:
    return name.rpartition(".")[0]


def uses(module: str) -> set[str]:
    """Return the names and dotted names that a module uses."""
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
    """Packages know each other by their public names only."""
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
    names = {name for module in SOURCES for name in imports(module)}
    needed = names | {parent(name) for name in names}
    rooms = {parent(module) for module in SOURCES}
    assert set(SOURCES) - needed - rooms - ENTRY_POINTS == set()


def test_no_cycles() -> None:
    """The modules have an order in which they can be read, one after the other."""
    graph = {
        module: {
            name if name in SOURCES else parent(name)
            for name in imports(module, at_once=True)
            if {name, parent(name)} & set(SOURCES)
        }
        for module in SOURCES
    }
    assert set(TopologicalSorter(graph).static_order()) == set(SOURCES)


def drawn_rooms() -> dict[str, list[str]]:
    """Read the drawing: what each room imports of the program, in the order of the lines."""
    text = DRAWING.read_text(encoding="utf-8")
    section = text.partition("## The rooms of the program\n")[2]
    lines = section.partition("```text\n")[2].partition("```")[0].splitlines()
    return {room.strip(): named.split() for room, named in (line.split("->") for line in lines)}


def test_rooms() -> None:
    """Each room imports what the drawing in docs/architecture.md says, no more and no less."""
    found: dict[str, set[str]] = {}
    for module in SOURCES:
        if module.startswith(f"{PROGRAM}."):
            room = module.split(".")[1]
            named = {
                name.split(".")[1] for name in imports(module) if name.startswith(f"{PROGRAM}.")
            }
            found[room] = found.get(room, set()) | named - {room}
    drawn = {room: set(named) for room, named in drawn_rooms().items()}
    assert {room: named for room, named in found.items() if named} == drawn


def test_no_arrow_runs_back() -> None:
    """In the drawing, a room imports only rooms that are drawn below it, or that import none."""
    above: set[str] = set()
    for room, named in drawn_rooms().items():
        above.add(room)
        assert above & set(named) == set(), room


def test_the_engine_is_pure() -> None:
    """The engine imports nothing through which it could reach the world."""
    modules = [module for module in SOURCES if module.startswith(ENGINE)]
    assert len(modules) > 5
    names = {name for module in modules for name in imports(module)}
    outside = {name for name in names if not name.startswith(ENGINE)}
    assert {name for name in outside if not {name, parent(name)} & ENGINE_MAY_IMPORT} == set()


@pytest.mark.parametrize("name", OUTERMOST)
def test_the_world_is_outside(name: str) -> None:
    """Clock, environment and standard streams belong to the outermost modules."""
    assert {module for module in SOURCES if name in uses(module)} == OUTERMOST[name]
