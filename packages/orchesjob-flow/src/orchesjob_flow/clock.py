"""The wall clock and the monotonic clock: what each is for, and when two readings compare.

The engine reads no clock: it is given a `Now` with every event, so that tests can simulate time.
"""

import os
import sys
import time
from pathlib import Path
from typing import NamedTuple


class Now(NamedTuple):
    """One moment, on the two clocks that the product uses.

    `wall` is a Unix timestamp in seconds: for people, and for resuming after a restart. `mono` is
    in seconds of the monotonic clock, which no clock change moves: all waits use it (rule 5.10).
    `boot` names this boot of the kernel and this namespace of processes, within which `mono` and
    process ids are unique. Moments with equal `boot` have comparable `mono`.
    """

    wall: float
    mono: float
    boot: str


def now() -> Now:
    """Read the clocks of this machine."""
    return Now(time.time(), time.monotonic(), BOOT)


def read_boot() -> str:
    """Return the name of this boot and this namespace of processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - not a path
    except OSError:
        return read_boot_by_sysctl()


def read_boot_by_sysctl() -> str:
    """Return the name of this boot on a system without /proc, such as macOS."""
    import subprocess

    command = ["sysctl", "-n", "kern.bootsessionuuid"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=False)
        return answer.stdout.strip() or sys.platform
    except (OSError, subprocess.TimeoutExpired):
        return sys.platform


BOOT = read_boot()
