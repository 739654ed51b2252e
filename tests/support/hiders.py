"""Processes of a step that hide, each in its own way; run as a step's command.

usage: python hiders.py FOLDER

Each holds a lock on a file in the folder, which bears its name and holds its PID. When all are
there, the file `ready` is. Then the step waits to be ended. The chains end by themselves when
their files are gone.
"""

import ctypes
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

PR_SET_DUMPABLE = 4
CHAINS_MS = (0.1, 1, 5, 20)


def main() -> None:
    """Begin all of them, and wait."""
    folder = Path(sys.argv[1])
    for name, acts in HIDERS.items():
        if not os.fork():
            for act in acts:
                act()
            announce(folder / name)
            wait()
    if not os.fork():
        become_daemon()
        shed_environment(folder / "daemon, env -i")
    chains = {f"chain of {ms:g} ms": ms / 1000 for ms in CHAINS_MS}
    for name, sec in chains.items():
        if not os.fork():
            announce(folder / name)
            chain(folder / name, sec)
    names = [*HIDERS, *chains, "daemon, env -i", *begin_agent(folder)]
    while not all((folder / name).exists() for name in names):
        time.sleep(0.01)
    (folder / "ready.new").write_text("\n".join(names), encoding="utf-8")
    (folder / "ready.new").rename(folder / "ready")
    wait()


def begin_agent(folder: Path) -> list[str]:
    """Begin an ssh-agent, if there is one; it may not be traced, and closes what it inherits."""
    try:
        words = ["ssh-agent", "-a", str(folder / "socket")]
        said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    except OSError:
        return []
    pid = said.partition("SSH_AGENT_PID=")[2].partition(";")[0]
    (folder / "ssh-agent").write_text(pid, encoding="utf-8")
    return ["ssh-agent"]


def announce(path: Path) -> None:
    """Lock the file, and show it; whoever inherits the lock holds it too."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(descriptor, True)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.write(descriptor, str(os.getpid()).encode())
    new.rename(path)


def wait() -> None:
    """Wait to be ended."""
    while True:
        signal.pause()


def ignore_term() -> None:
    """Do not end when asked to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def become_unreadable() -> None:
    """Let nobody but root read the environment, as ssh-agent and the like do."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)


def overwrite_environment() -> None:
    """Overwrite the environment, as programs do that change their title."""
    fields = Path("/proc/self/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    begin, end = map(int, fields[47:49])
    ctypes.memset(begin, 0, end - begin)


def become_daemon() -> None:
    """Leave parent and session."""
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        os._exit(0)


def shed_environment(path: Path) -> None:
    """Begin this program anew without an environment; then the file is locked."""
    os.execve(sys.executable, [sys.executable, "-SEI", __file__, "--shed", str(path)], {})  # noqa: S606


def chain(path: Path, sec: float) -> None:
    """Fork and exit, again and again."""
    ignore_term()
    while path.exists():
        if os.fork():
            os._exit(0)
        time.sleep(sec)
    os._exit(0)


HIDERS: dict[str, list[Callable[[], None]]] = {
    "child, ignores TERM": [ignore_term],
    "child, unreadable": [become_unreadable],
    "child, overwritten": [overwrite_environment],
    "daemon": [become_daemon],
    "daemon, unreadable": [become_daemon, become_unreadable],
    "daemon, overwritten": [become_daemon, overwrite_environment],
}

if __name__ == "__main__":
    if sys.argv[1] == "--shed":
        announce(Path(sys.argv[2]))
        wait()
    main()
