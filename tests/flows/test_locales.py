"""One encoding, whatever the locale of whoever calls (rule 5.12)."""

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.deadlines import CALL_SEC
from support.files import write_program
from support.flow import Flow

NAMES = ("LC_ALL", "LC_CTYPE", "LANG", "PYTHONUTF8", "PYTHONIOENCODING")
"""The variables by which Python chooses an encoding."""

WORD = "für 日本"
KEY = "nächtlich"
LATIN_1 = "de_DE.ISO-8859-1"


def in_locale(environ: Mapping[str, str], locale: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which only these variables say something about an encoding."""
    return {**{name: text for name, text in environ.items() if name not in NAMES}, **locale}


def latin_1(folder: Path) -> Mapping[str, str]:
    """Make a Latin-1 locale in a folder; return the variables that select it, or skip the test."""
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / LATIN_1)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=CALL_SEC)
    except (OSError, subprocess.CalledProcessError) as error:
        # A system may come without the sources of locales; those of C are tested everywhere.
        pytest.skip(f"localedef cannot make a Latin-1 locale here: {error}")
    return {"LOCPATH": str(folder), "LC_ALL": LATIN_1}


def under_pipx(flow: Flow, tmp_path: Path) -> None:
    """Let Python heed no variable when orchesjob and the command begin, as pipx has it."""
    for path, module in (
        (flow.orchesjob.path, "orchesjob.cli"),
        (flow.program, "orchesjob_flow.__main__"),
    ):
        write_program(
            tmp_path / Path(path).name,
            f"#!{sys.executable} -E\nimport sys\nfrom {module} import main\nsys.exit(main())\n",
        )
    flow.environ["ORCHESJOB_BIN"] = str(tmp_path / "orchesjob")
    flow.program = str(tmp_path / "orchesjob-flow")


def write_flow(flow: Flow) -> str:
    folder = flow.folder / WORD
    folder.mkdir()
    script = (
        'echo >>"$0.ran"; printf %s "$1" >"$0.word"; env -0 >"$0.env"; pwd >"$0.pwd"; echo "$1"'
    )
    command = ["sh", "-c", script, str(flow.folder / "seen"), WORD]
    step = {"id": "a", "command": command, "working_dir": WORD, "env": {"GREETING": WORD}}
    return flow.write(step, name=f"{WORD}.json")


def seen(flow: Flow, what: str) -> bytes:
    return (flow.folder / f"seen.{what}").read_bytes()


def check_all(flow: Flow, locale: Mapping[str, str]) -> None:
    """Run a flow in a locale; look at what its step saw, and at the run from another locale."""
    flow.environ = {**in_locale(flow.environ, locale), "INHERITED": "\udcfc"}
    flow.environ["ORCHESJOB_HOME"] = f"{flow.orchesjob.home}-{WORD}"
    file = write_flow(flow)
    run = flow.start(KEY, file)
    assert (run["status"], run["run_key"]) == ("SUCCEEDED", KEY)
    assert seen(flow, "word") == WORD.encode()
    assert seen(flow, "pwd") == f"{flow.folder}/{WORD}\n".encode()
    variables = dict(line.partition(b"=")[::2] for line in seen(flow, "env").split(b"\0"))
    assert variables[b"GREETING"] == WORD.encode()
    assert variables[b"INHERITED"] == b"\xfc"
    for name in NAMES:
        expected = flow.environ.get(name)
        assert variables.get(name.encode()) == (expected and expected.encode())
    assert flow.run("logs", f"--run-key={KEY}", "a").stdout == f"{WORD}\n"
    assert KEY in flow.run("list", "--format=table").stdout
    assert flow.run("doctor").returncode == 0
    flow.environ = in_locale(flow.environ, {"LANG": "C.UTF-8"})
    assert flow.run("doctor").returncode == 0
    for path in flow.home.glob("orchesjob-flow.sqlite3*"):
        path.unlink()
    assert flow.start(KEY, file)["status"] == "SUCCEEDED"
    assert seen(flow, "ran") == b"\n"


@pytest.mark.integration
@pytest.mark.long  # the session `locales` runs every test so
def test_c(real_flow: Flow) -> None:
    """All arrives as the file's bytes say; a success is one, and is found again (rule 5.12)."""
    check_all(real_flow, {"LC_ALL": "C", "PYTHONUTF8": "0"})


@pytest.mark.integration
def test_pipx(real_flow: Flow, tmp_path: Path) -> None:
    """So it is where Python heeds the locale, but none of its own variables (rule 5.12)."""
    locale = {"PYTHONUTF8": "1", **latin_1(tmp_path)}
    under_pipx(real_flow, tmp_path)
    check_all(real_flow, locale)
