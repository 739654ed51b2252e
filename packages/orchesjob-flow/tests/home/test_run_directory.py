"""The directory of a run is removed whatever its steps have left in it (rule 10.6)."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchesjob_flow.home.paths import make_run_directory, remove_run_directory

SWAP_FOLDERS = Path(__file__).with_name("swap_folders.py")
OBEY_MODES = ("--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all")
REMOVE = """
import sys
from pathlib import Path
from orchesjob_flow.home.paths import remove_run_directory
try:
    remove_run_directory(Path(sys.argv[1]))
except OSError as error:
    print(f"{error.filename}: {error.strerror}")
"""


FAIL_TO_REMOVE = """
import errno, sys
from pathlib import Path
from orchesjob_flow.home.paths import remove_run_directory
def fail(event, details):
    if event == "os.rmdir":
        raise OSError(errno.EBUSY, "is in use", details[0])
sys.addaudithook(fail)
try:
    remove_run_directory(Path(sys.argv[1]))
except OSError as error:
    print(error.filename)
"""


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
    """They are removed, however deep: no path, stack or descriptor runs out."""
    path = tmp_path / "k.run"
    make_run_directory(path)
    nest(path, 1500)
    try:
        remove_run_directory(path)
        assert not path.exists()
    finally:  # pytest fails to remove them
        subprocess.run(["/bin/rm", "-rf", str(path)], check=True)


def test_a_failure_deep_inside(tmp_path: Path) -> None:
    path = tmp_path / "k.run"
    make_run_directory(path)
    nest(path, 200)
    command = [sys.executable, "-c", FAIL_TO_REMOVE, str(path)]
    failed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert failed.stdout.startswith(f"{path}/folder/folder/")
    assert failed.stdout.endswith("...\n")
    assert len(failed.stdout) < 500


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


def test_swapped_at_each_moment(tmp_path: Path) -> None:
    """Whenever a folder is swapped for a link or a file, or moved: nothing outside is changed."""
    command = [sys.executable, str(SWAP_FOLDERS), str(tmp_path)]
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        assert setpriv is not None
        command = [setpriv, *OBEY_MODES, *command]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    assert tried.returncode == 0, tried.stderr
    assert int(tried.stdout) > 100


def test_another_file_system(tmp_path: Path) -> None:
    """What is mounted in it is neither changed nor removed, and its place is named."""
    path = tmp_path / "k.run"
    (path / "a" / "mounted").mkdir(parents=True)
    script = 'cd "$0" && mount -t tmpfs none . && touch kept && { "$@"; ls; }'
    unshare = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    tried = subprocess.run(
        [*unshare, str(path / "a" / "mounted"), sys.executable, "-c", REMOVE, str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        # The kernel may let only root mount anything; all other tests here run everywhere.
        pytest.skip(f"nothing can be mounted here: {tried.stderr}")
    problem = f"{path}/a/mounted: is another file system (unmount it)"
    assert tried.stdout.splitlines() == [problem, "kept"]
    remove_run_directory(path)
    assert not path.exists()
