"""The manual page and the completions that are installed are those of this program (rule 9.15)."""

import runpy
import shutil
import subprocess
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2]
FILES: dict[Path, str] = runpy.run_path(str(PACKAGE / "make_share.py"))["files"]()
MANUAL = PACKAGE / "share" / "man" / "man1" / "orchesjob-flow.1"


@pytest.mark.parametrize("path", sorted(FILES), ids=lambda path: path.name)
def test_up_to_date(path: Path) -> None:
    assert path.read_text(encoding="utf-8") == FILES[path]


def test_nothing_else_is_installed() -> None:
    share = PACKAGE / "share"
    made = {path for path in FILES if path.is_relative_to(share)} | {MANUAL}
    assert {path for path in share.rglob("*") if path.is_file()} == made


def test_the_manual_is_good_roff() -> None:
    """The formatter has nothing to complain of, and shows an example as it is written."""
    groff = shutil.which("groff")
    if groff is None:
        # No tool of the project; that the text is current is tested everywhere.
        pytest.skip("no groff")
    words = [groff, "-man", "-Tascii", "-ww", "-P-c", str(MANUAL)]
    shown = subprocess.run(words, capture_output=True, text=True, check=True)
    assert shown.stderr == ""
    assert "orchesjob-flow example > flow.yaml\n" in shown.stdout
    assert "\b\n" not in MANUAL.read_text(encoding="utf-8")
