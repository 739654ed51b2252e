"""What the global options say (section 6)."""

import os
from pathlib import Path

import pytest

from orchesjob_flow.home.paths import Home
from orchesjob_flow.home.settings import Settings


@pytest.mark.parametrize(
    ("settings", "options"),
    [
        (
            Settings(Home(Path("/h/f.db")), None, 5.0, 60.0, {}),
            ["--db=/h/f.db", "--poll-interval=5.0", "--patience=60.0"],
        ),
        (
            Settings(Home(Path("/h/-x y.db")), "/opt/o j", 0.25, 1e-05, {}),
            [
                "--db=/h/-x y.db",
                "--poll-interval=0.25",
                "--patience=1e-05",
                "--orchesjob-bin=/opt/o j",
            ],
        ),
    ],
)
def test_for_a_child(settings: Settings, options: list[str]) -> None:
    """A child gets the same settings, spelled so that its directory does not matter (6.3)."""
    assert settings.global_options() == options


def test_from_options() -> None:
    """Options are combined with the environment; a relative database becomes absolute (6.1)."""
    settings = Settings.from_options("x.db", None, 5.0, 60.0)
    assert settings.home.database == Path.cwd() / "x.db"
    assert settings.environ is os.environ


def test_starts_side_by_side() -> None:
    """Two steps may be starting for each core."""
    settings = Settings(Home(Path("/h/f.db")), None, 5.0, 60.0, {})
    assert settings.starts == 2 * (os.cpu_count() or 1)
