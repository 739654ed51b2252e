"""The clocks, and what makes two moments comparable (rule 5.10)."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchesjob_flow.clock import now, read_boot, read_boot_by_sysctl


def test_the_boot_is_the_same_everywhere() -> None:
    code = "from orchesjob_flow.clock import now; print(now().boot)"
    other = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert other.stdout.strip() == now().boot == read_boot()


def test_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a system without /proc the boot is what `sysctl` calls it, else the system's name."""
    sysctl = tmp_path / "sysctl"
    sysctl.write_text('#!/bin/sh\necho "boot of $2"\n')
    sysctl.chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert read_boot_by_sysctl() == "boot of kern.bootsessionuuid"
    sysctl.write_text("#!/bin/sh\nexit 1\n")
    assert read_boot_by_sysctl() == sys.platform
    monkeypatch.setenv("PATH", str(tmp_path / "nowhere"))
    assert read_boot_by_sysctl() == sys.platform
