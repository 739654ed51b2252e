"""Locales that do not speak UTF-8."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from support.deadlines import CALL_SEC

LATIN_1 = "de_DE.ISO-8859-1"


def latin_1(folder: Path) -> Mapping[str, str]:
    """Make a Latin-1 locale in a folder; return the variables that select it, or skip the test."""
    command = ["localedef", "-i", "de_DE", "-f", "ISO-8859-1", str(folder / LATIN_1)]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=CALL_SEC)
    except (OSError, subprocess.CalledProcessError) as error:
        # A system may come without the sources of locales; those of C are tested everywhere.
        pytest.skip(f"localedef cannot make a Latin-1 locale here: {error}")
    return {"LOCPATH": str(folder), "LC_ALL": LATIN_1}
