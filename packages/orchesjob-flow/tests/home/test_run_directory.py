"""The directory of a run is removed whatever its steps have left in it (rule 10.6)."""

import os
import subprocess
from pathlib import Path

from orchesjob_flow.home.paths import make_run_directory, remove_run_directory


def nest(path: Path, depth: int) -> None:
    """Make folders in folders, whose path is longer than any that the system takes."""
    here = os.open(path, os.O_RDONLY)
    for _ in range(depth):
        os.mkdir("folder", dir_fd=here)
        inner = os.open("folder", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)


def test_folders_in_folders(tmp_path: Path) -> None:
    """However deep: they are removed or, where Python itself is too weak, an error says so."""
    path = tmp_path / "k.run"
    make_run_directory(path)
    nest(path, 1500)
    said = ""
    try:
        remove_run_directory(path)
    except OSError as error:
        said = str(error)
        subprocess.run(["/bin/rm", "-r", str(path)], check=True)
    assert not path.exists()
    assert not said or "remove it with `rm -r`" in said


def test_links_and_locked_folders(tmp_path: Path) -> None:
    """A link is removed and not followed; a folder that its owner may not read goes too."""
    kept = tmp_path / "kept"
    kept.mkdir(0o755)
    (kept / "file").touch()
    path = tmp_path / "k.run"
    make_run_directory(path)
    (path / "link").symlink_to(kept)
    (path / "locked").mkdir()
    (path / "locked" / "file").touch()
    (path / "locked").chmod(0)
    remove_run_directory(path)
    assert not path.exists()
    assert (kept / "file").exists()
    assert kept.stat().st_mode & 0o777 == 0o755
