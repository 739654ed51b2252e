"""The programs of the packages' READMEs print what is shown, and are typed as a user's are.

A program is a block `python` that a block `text` follows: what it prints.
"""

import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flow_store import Changes, FlowStore, RunHeader, RunStatus, Step, StepStatus
from support.deadlines import CALL_SEC

PACKAGES = Path(__file__).parents[2] / "packages"
PROGRAM = re.compile(
    r"^```python\n((?:(?!```).*\n)*)```\n\n```text\n((?:(?!```).*\n)*)```$", re.MULTILINE
)
PROGRAMS = {
    f"{readme.parent.name}-{number}": (readme.parent.name, program, printed)
    for readme in sorted(PACKAGES.glob("*/README.md"))
    for number, (program, printed) in enumerate(PROGRAM.findall(readme.read_text("utf-8")), 1)
}
WITH_PROGRAMS = {"flow-conditions", "flow-spec", "flow-store", "orchesjob-client"}
"""The packages whose README begins with one."""


def record_runs(folder: Path) -> None:
    """Record what the program of flow-store reads: three runs, of which one has failed."""
    with FlowStore.open(folder / "flow.sqlite3") as store:
        for day, status in ((6, RunStatus.SUCCEEDED), (7, RunStatus.FAILED), (8, None)):
            key = f"daily-2026050{day}"
            store.create(
                run_key=key,
                flow_id="daily",
                definition="{}",
                directory="/srv",
                flow_dir="/srv",
                orchesjob_home="/var/lib/orchesjob",
                started_at=86400.0 * day,
                steps=[("download", 0), ("import", 0)],
            )
            if status is not None:
                header = RunHeader(status, finished_at=86400.0 * day + 60)
                error = "exit code 4" if status is RunStatus.FAILED else None
                ended = StepStatus(status)
                first = Step(0, "download", StepStatus.SUCCEEDED, 1, 0, 0)
                steps = {0: first, 1: Step(1, "import", ended, 1, 0, 0, error=error)}
                store.apply(key, Changes(header, steps), revision=0)


def write_shown_files(folder: Path) -> None:
    """Write the files of YAML that the README of flow-spec shows, each after its name."""
    readme = (PACKAGES / "flow-spec" / "README.md").read_text("utf-8")
    for name, text in re.findall(r"`([\w.]+)`:\n\n```yaml\n((?:(?!```).*\n)*)```", readme):
        (folder / name).write_text(text, encoding="utf-8")


PREPARED: dict[str, Callable[[Path], None]] = {
    "flow-spec": write_shown_files,
    "flow-store": record_runs,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_prints_what_is_shown(name: str, tmp_path: Path) -> None:
    """What a reader copies works."""
    package, program, printed = PROGRAMS[name]
    if package in PREPARED:
        PREPARED[package](tmp_path)
    (tmp_path / "program.py").write_text(program, encoding="utf-8")
    environ = {key: text for key, text in os.environ.items() if "ORCHESJOB" not in key}
    finished = subprocess.run(
        [sys.executable, "program.py"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=CALL_SEC,
        check=False,
    )
    assert (finished.stdout, finished.stderr, finished.returncode) == (printed, "", 0)


def test_a_readme_begins_with_one() -> None:
    """The first example of a README does the job of its package completely."""
    for name in WITH_PROGRAMS:
        first = (PACKAGES / name / "README.md").read_text("utf-8").partition("```python\n")[2]
        _, program, _ = PROGRAMS[f"{name}-1"]
        assert first.startswith(program), name


@pytest.mark.parametrize("package", ["flow-spec", "flow-store", "orchesjob-client"])
def test_a_readme_explains_every_public_name(package: str) -> None:
    """What is not explained is not public."""
    readme = (PACKAGES / package / "README.md").read_text("utf-8")
    public = importlib.import_module(package.replace("-", "_")).__all__
    assert [name for name in public if not re.search(rf"\b{name}\b", readme)] == []


CHECKERS = {
    "mypy": ["mypy", "--strict", "--cache-dir", "cache", "."],
    "pyright": ["pyright", "--pythonpath", sys.executable, "."],
}


@pytest.mark.long  # the session `types` runs it
@pytest.mark.parametrize("checker", CHECKERS)
def test_the_programs_are_typed(checker: str, tmp_path: Path) -> None:
    """No type checker finds anything in them, however strict it is."""
    pytest.importorskip(checker, reason="the session `types` runs this")
    (tmp_path / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict"}))
    for name, (_, program, _) in PROGRAMS.items():
        (tmp_path / f"{name.replace('-', '_')}.py").write_text(program, encoding="utf-8")
    command = [sys.executable, "-m", *CHECKERS[checker]]
    checked = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr
