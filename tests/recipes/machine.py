"""A machine of its own for one daemon: namespaces that end with the test, and all in them.

What the daemon reads or writes outside of the test's folder is covered there, so that the machine
under it keeps its crontabs, its units and its mail.
"""

import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from support.deadlines import CALL_SEC
from support.flow import Flow


class Machine:
    """A daemon as the first process of namespaces of mounts, processes and control groups."""

    def __init__(self, setup: Sequence[str], *daemon: str) -> None:
        """Run the lines `setup` in a shell, which then becomes the daemon."""
        script = ["set -e", "mount -t proc proc /proc", *setup, f"exec {shlex.join(daemon)}"]
        own = ("--pid", "--mount", "--cgroup", "--propagation=private")
        self._unshare = subprocess.Popen(
            [need("unshare"), "--fork", "--kill-child", *own, "/bin/sh", "-c", "\n".join(script)],
            env={"PATH": os.defpath, "container": "lxc"},  # as systemd wants to be told
            stdin=subprocess.DEVNULL,
        )
        children = Path(f"/proc/{self._unshare.pid}/task/{self._unshare.pid}/children")
        while not (pids := children.read_text(encoding="ascii").split()):
            assert self._unshare.poll() is None, "the machine has not begun"
            os.sched_yield()
        self._first = pids[0]

    def run(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        home = {"PATH": os.environ["PATH"], "HOME": str(Path.home())}
        return subprocess.run(
            [need("nsenter"), f"--target={self._first}", "--pid", "--mount", "--cgroup", *words],
            **{"env": home, "capture_output": True, "text": True, "timeout": CALL_SEC, **options},
            check=False,
        )

    def close(self) -> None:
        self._unshare.kill()
        self._unshare.wait()


def as_user(user: pwd.struct_passwd) -> list[str]:
    """Return the words that run a command as a user, who may read root's installation."""
    if user.pw_uid == 0:
        return []
    ids = [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    reads = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    return [need("setpriv"), *ids, *reads]


def need(program: str) -> str:
    """Return the path of a program without which a recipe cannot be tried."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")
    if found is None or os.geteuid() != 0:
        pytest.fail(f"needs root and {program}: apt-get install cron msmtp-mta openssh-server sudo")
    return found


def documented(page: str, language: str, *, after: str = "") -> str:
    """Return the first block of a language in a page of docs/how-to, or the first after a text."""
    text = (Path(__file__).parents[2] / "docs" / "how-to" / page).read_text(encoding="utf-8")
    _, fence, block = text[text.index(after) :].partition(f"```{language}\n")
    assert fence, f"{page} has no {language} block after {after!r}"
    return block.partition("```")[0]


def adapted(text: str, ours: Mapping[str, object]) -> str:
    """Replace what is otherwise on this machine, all of which must be documented."""
    for documented_text, here in ours.items():
        assert documented_text in text, documented_text
        text = text.replace(documented_text, str(here))
    return text


def folder_of(flow: Flow) -> str:
    """Return the folder in which the installed command is."""
    return str(Path(flow.program).parent)
