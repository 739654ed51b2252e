"""The bugs that `python3 noxfile.py -s planted` plants can still be planted."""

from pathlib import Path

import pytest

from .bugs import BUGS, Bug

PACKAGES = Path(__file__).parents[2] / "packages"


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_what_it_replaces_is_there(bug: Bug) -> None:
    """What a planted bug replaces is once in its file, so that the bug is really planted."""
    text = (PACKAGES / bug.file).read_text(encoding="utf-8")
    assert bug.planted_in(text) != text
