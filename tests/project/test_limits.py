"""No test can hang a session, or take its memory: it fails by its name (`conftest.py`)."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import resource, signal, subprocess, threading, time
from concurrent.futures import ThreadPoolExecutor
import pytest

@pytest.fixture
def hanging():
    threading.Event().wait()

def test_event(): threading.Event().wait()
def test_process(): subprocess.run(["sleep", "60"])
def test_loop():
    while True: pass
def test_threads():
    event = threading.Event()
    threading.Timer(2, event.set).start()
    with ThreadPoolExecutor() as pool: pool.submit(event.wait).result()
def test_fixture(hanging): pass
def test_memory(): bytearray(2**29)
def test_memory_of_a_process():
    subprocess.run(["dd", "if=/dev/zero", "of=/dev/null", "bs=512M", "count=1"], check=True)
@pytest.mark.long
def test_long(): time.sleep(1)
def test_good():
    assert signal.getitimer(signal.ITIMER_REAL)[0] <= 0.7
    assert resource.getrlimit(resource.RLIMIT_DATA)[0] == 2**28
"""


def test_who_exceeds_a_limit_fails(tmp_path: Path) -> None:
    """Each fails as soon as it is over its limit, and the tests after it run."""
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_x.py").write_text(TESTS, encoding="utf-8")
    (tmp_path / "pytest.toml").write_text(
        "[pytest]\nlimit_sec = 0.7\nlimit_mib = 256\nmarkers = ['long']\n", encoding="utf-8"
    )
    words = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-p", "no:xdist"]
    # Where CI says what it is, pytest cuts no line.
    environ = {
        name: text for name, text in os.environ.items() if name not in ("CI", "BUILD_NUMBER")
    }
    environ["COLUMNS"] = "80"
    ended = subprocess.run(
        words, cwd=tmp_path, env=environ, stdout=subprocess.PIPE, text=True, check=False
    )
    found = re.findall(r"^([A-Z]+) test_x\.py::test_(\w+)(?: - (.*))?$", ended.stdout, re.MULTILINE)
    late = "Failed: took longer than 0.7 s"
    assert {name: (outcome, why) for outcome, name, why in found} == {
        "event": ("FAILED", late),
        "process": ("FAILED", late),
        "loop": ("FAILED", late),
        "threads": ("FAILED", late),
        "fixture": ("ERROR", late),
        "memory": ("FAILED", "MemoryError"),
        "memory_of_a_process": ("FAILED", "subprocess.CalledProcessError: C..."),
        "long": ("PASSED", ""),
        "good": ("PASSED", ""),
    }, ended.stdout
    assert "in test_event" in ended.stdout.partition("Captured stderr")[2]
