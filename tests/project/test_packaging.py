"""The six distributions: one version, only the allowed arrows, and what an index shows of them."""

import ast
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest
import yaml

from .test_architecture import ARROWS as IMPORTS

ROOT = Path(__file__).parents[2]
ON_AIRFLOW = "orchesjob-flow-airflow"
ARROWS = {
    package.replace("_", "-"): {name.replace("_", "-") for name in imported & IMPORTS.keys()}
    for package, imported in IMPORTS.items()
}
"""The distributions, each with those of them that it needs: what it imports."""

PYTHON = "Programming Language :: Python :: "


def settings(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))


PROJECTS: dict[str, Any] = {name: settings(ROOT / "packages" / name)["project"] for name in ARROWS}
VERSION = (ROOT / "VERSION").read_text(encoding="utf-8").strip()


def pythons(name: str) -> list[str]:
    """Return the versions of Python that a distribution declares, the oldest first."""
    classifiers = PROJECTS[name]["classifiers"]
    return [text.removeprefix(PYTHON) for text in classifiers if text.startswith(f"{PYTHON}3.")]


def siblings(lines: list[str]) -> set[str]:
    return {name for name in map(distribution, lines) if name in ARROWS}


def test_every_folder_is_known() -> None:
    """A seventh package cannot appear without its place in the graph; the root is none."""
    assert {path.parent.name for path in ROOT.glob("packages/*/pyproject.toml")} == set(ARROWS)
    assert settings(ROOT).keys() == {"dependency-groups", "tool"}


@pytest.mark.parametrize("name", ARROWS)
def test_metadata(name: str) -> None:
    """One version for all, types, the licence, and no address, as none is known to all yet.

    Siblings are only along the arrows, without a version, which the build adds; they come from the
    checkout as copies. All else has a lower bound. An sdist has the rules that its tests cite.
    """
    folder, table = ROOT / "packages" / name, PROJECTS[name]
    tools = settings(folder)["tool"]
    assert table["dynamic"] == ["version"]
    assert (folder / tools["hatch"]["version"]["path"]).resolve() == ROOT / "VERSION"
    assert {line for line in table["dependencies"] if siblings([line])} == ARROWS[name]
    sources = {sibling: {"path": f"../{sibling}"} for sibling in ARROWS[name]}
    assert tools["uv"].get("sources", {}) == sources
    foreign = [line for line in table["dependencies"] if not siblings([line])]
    assert [line for line in foreign if ">=" not in line] == []
    assert "urls" not in table
    assert (table["license"], table["license-files"]) == ("MIT", ["LICENSE"])
    assert (folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "Typing :: Typed" in table["classifiers"]
    assert (folder / "src" / name.replace("-", "_") / "py.typed").exists()
    frameworks = [text for text in table["classifiers"] if text.startswith("Framework ::")]
    assert frameworks == ["Framework :: Apache Airflow"] * (name == ON_AIRFLOW)
    included = tools["hatch"]["build"]["targets"]["sdist"]["force-include"]
    assert included == {"../../docs/rules.md": "RULES.md"}


def workflow(name: str) -> dict[str, Any]:
    path = ROOT / ".github" / "workflows" / f"{name}.yml"
    jobs: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"]
    return jobs


@pytest.mark.parametrize("name", ARROWS)
def test_python_versions(name: str) -> None:
    """The Pythons that are declared are all those that CI runs the tests on, from the oldest on."""
    declared = pythons(name)
    assert PROJECTS[name]["requires-python"] == f">={declared[0]}"
    assert {f"{PYTHON}3", f"{PYTHON}3 :: Only"} <= set(PROJECTS[name]["classifiers"])
    jobs = workflow("ci")
    if name == ON_AIRFLOW:
        rows = jobs["airflow"]["strategy"]["matrix"]["include"]
        assert declared == sorted({row["python"] for row in rows})
    else:
        assert declared == jobs["tests"]["strategy"]["matrix"]["python"]
        lowest = jobs["lowest"]["strategy"]["matrix"]["python"]
        assert lowest[0] == declared[0]
        assert set(lowest) <= set(declared)


# What is built and installed.


@pytest.mark.parametrize("name", ARROWS)
def test_sdist_is_whole(name: str) -> None:
    """An sdist takes in every folder and file of its package; what it leaves out is named."""
    folder = ROOT / "packages" / name
    included = settings(folder)["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    always = {"LICENSE", "README.md", "pyproject.toml"}
    made_by_tools = {"__pycache__", "dist"}
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    assert set(included) == there - always - made_by_tools


def build(folder: Path, kind: str, place: Path) -> Path:
    """Build as installers do, without a network: a wheel, an editable one, or an sdist."""
    script = (
        "import sys; from hatchling import build; print(getattr(build, sys.argv[1])(sys.argv[2]))"
    )
    command = [sys.executable, "-c", script, f"build_{kind}", str(place)]
    built = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return place / built.stdout.split()[-1]


def required(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = message_from_bytes(archive.read(name)).get_all("Requires-Dist", [])
    return {line for line in lines if siblings([line])}


def test_a_folder_brings_its_siblings(tmp_path: Path) -> None:
    """Who installs one folder gets its siblings from the checkout; an index names versions only."""
    name = "orchesjob-flow"
    folder = ROOT / "packages" / name
    pins = {f"{sibling}=={VERSION}" for sibling in ARROWS[name]}
    folders = {f"{sibling} @ {(folder.parent / sibling).as_uri()}" for sibling in ARROWS[name]}
    assert required(build(folder, "wheel", tmp_path)) == folders
    with tarfile.open(build(folder, "sdist", tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = (path for path in tmp_path.iterdir() if path.is_dir())
    assert "Requires-Dist: flow-conditions==" in (unpacked / "PKG-INFO").read_text("utf-8")
    assert "@ file:" not in (unpacked / "PKG-INFO").read_text("utf-8")
    (tmp_path / "wheel").mkdir()
    wheel = build(unpacked, "wheel", tmp_path / "wheel")
    assert required(wheel) == pins
    assert wheel.name.split("-")[1] == VERSION


def test_editable_siblings_are_named(tmp_path: Path) -> None:
    """All editable packages in one command are no conflict for pip: they name versions only."""
    wheel = build(ROOT / "packages" / "flow-spec", "editable", tmp_path)
    assert required(wheel) == {f"flow-conditions=={VERSION}"}


def test_one_hook() -> None:
    """The packages with siblings have the same hook, each its own copy, for an sdist needs it."""
    hooks = {path.parent.name: path.read_bytes() for path in ROOT.glob("packages/*/hatch_build.py")}
    assert hooks.keys() == {name for name, arrows in ARROWS.items() if arrows}
    assert len(set(hooks.values())) == 1


MODULES = {"jsonschema_rs": "jsonschema-rs", "ruamel": "ruamel.yaml", "yaml": "PyYAML"}
"""The distributions whose modules have other names."""
OPTIONAL = {"playwright"}
"""What only the checks in a browser import, which no sdist runs."""


@pytest.mark.parametrize("name", ARROWS)
def test_what_the_tests_of_an_sdist_need(name: str) -> None:
    """A package declares what its tests import, with the bounds of the checkout's group."""
    folder = ROOT / "packages" / name
    declared = settings(folder)["dependency-groups"]["test"]
    assert set(declared) <= set(settings(ROOT)["dependency-groups"]["test"])
    lines = [*declared, *PROJECTS[name]["dependencies"]]
    known = set(map(distribution, lines))
    known |= {"airflow"} if name == ON_AIRFLOW else set()
    tests = [*folder.glob("tests/**/*.py"), *folder.glob("conftest.py")]
    own = {path.stem for path in tests} | {path.parent.name for path in tests} | {"support"}
    found = {module for path in tests for module in imported(path)}
    foreign = found - set(sys.stdlib_module_names) - own - OPTIONAL - {name.replace("-", "_")}
    used = {MODULES.get(module, module.replace("_", "-")) for module in foreign}
    assert used <= known
    assert set(map(distribution, declared)) - {"pytest"} <= used


def distribution(requirement: str) -> str:
    return re.split(r"[^A-Za-z0-9_.-]", requirement, maxsplit=1)[0]


def imported(path: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def test_airflow_versions() -> None:
    """CI runs the tests on the lowest and on the newest Airflow that is declared (rule 13.1)."""
    (declared,) = (
        line for line in PROJECTS[ON_AIRFLOW]["dependencies"] if line.startswith("apache-airflow")
    )
    bounds = declared.removeprefix("apache-airflow ")
    lowest = bounds.removeprefix(">= ").partition(",")[0]
    groups = settings(ROOT)["dependency-groups"]
    assert declared in groups["airflow"]
    assert f"apache-airflow == {lowest}.0" in groups["airflow-lowest"]
    assert f"apache-airflow[celery,postgres] {bounds}" in groups["celery"]
    rows = workflow("ci")["airflow"]["strategy"]["matrix"]["include"]
    tested = {row["session"]: row["python"] for row in rows}
    oldest, *_, newest = pythons(ON_AIRFLOW)
    assert tested == {"airflow": newest, "airflow_lowest": oldest}
