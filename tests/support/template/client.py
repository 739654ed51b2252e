"""The template process as tests use it, and when one is forked from it: where nobody could tell."""

import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

from support.deadlines import EVENT_SEC
from support.template import server
from support.template.server import ROOM, ROOM_BYTES, STARTUP, inherited_attributes, pack

PROGRAM = str(Path(sys.executable).parent / "orchesjob-flow")
MODULES = (
    *("orchesjob_flow.*", "flow_conditions.*", "flow_spec.*", "flow_store.*", "orchesjob_client.*"),
    *("cattrs", "click._textwrap", "difflib"),
)
"""What the program imports, at its start or later; `.*` are all modules of a package."""
SWITCH = "PLAIN_START"
"""The variable of a session in which no process is forked from a template."""

_UNASKED = {
    "executable": None,
    "preexec_fn": None,
    "close_fds": True,
    "pass_fds": (),
    "shell": False,
    "restore_signals": True,
    "gid": None,
    "gids": None,
    "uid": None,
}
"""What only the system can do for a new process, by the names that `Popen` has for it."""
_STREAMS = ("p2cread", "c2pwrite", "errwrite")
"""The ends of a start's streams that are the new process's; -1 is whatever its parent has."""


@cache
def shared_template() -> "TemplateProcess | None":
    """Return the template of this process, begun now at the latest; None if there is to be none."""
    if sys.platform != "linux" or SWITCH in os.environ:
        return None
    template = TemplateProcess(PROGRAM, MODULES)
    atexit.register(template.close)
    return template


class TemplateProcess:
    """A process that has imported a console script's modules, from which the script is forked."""

    def __init__(self, script: str, modules: Sequence[str]) -> None:
        self._script = script
        self._variables = read_at_start(os.environb)
        self._inherited = inherited_attributes()
        self._lock = Lock()
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.settimeout(EVENT_SEC)
        room = " " * ROOM_BYTES
        words = [server.__file__, str(theirs.fileno()), script, ",".join(modules), room]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, *words],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**self._variables, ROOM.encode(): room.encode()},
                pass_fds=(theirs.fileno(),),
            )
        assert self._requests.recv(server.MOST_BYTES) == server.READY

    def fork(self, asked: Mapping[str, Any]) -> int | None:
        """Fork what `Popen` is asked to start, and return its PID; None if only `Popen` can do it.

        It is a child of ours, and waited for by its PID.
        """
        argv = [os.fsencode(word) for word in asked["args"]]
        variables = os.environ if asked["env"] is None else asked["env"]
        environ = {os.fsencode(name): os.fsencode(text) for name, text in variables.items()}
        if not (self._suits_words(argv, environ) and self._suits(asked)):
            return None
        with self._lock, contextlib.ExitStack() as at_end:
            try:
                directory = os.open(asked["cwd"] or ".", os.O_PATH | os.O_DIRECTORY)
            except OSError:
                return None  # `Popen` says why
            at_end.callback(os.close, directory)
            words = os.memfd_create("words of a start")
            at_end.callback(os.close, words)
            os.pwrite(words, pack(argv, environ), 0)
            options = json.dumps([asked[name] for name in server.Options._fields]).encode()
            streams = [asked[name] for name in _STREAMS]
            socket.send_fds(self._requests, [options], [words, directory, *streams])
            pid = int(self._requests.recv(server.MOST_BYTES))
        if pid < 0:
            os.waitpid(-pid, 0)
        return pid if pid > 0 else None

    def _suits(self, asked: Mapping[str, Any]) -> bool:
        """Tell whether a start asks for nothing but what a forked process can do for itself."""
        return (
            all(asked[name] == value for name, value in _UNASKED.items())
            and all(asked[name] >= 0 for name in _STREAMS)
            and inherited_attributes() == self._inherited
        )

    def _suits_words(self, argv: Sequence[bytes], environ: Mapping[bytes, bytes]) -> bool:
        """Tell whether words and variables can be passed, and lead to the same start."""
        words = [*argv[1:], *environ, *environ.values()]
        return (
            argv[0] == os.fsencode(self._script)
            and read_at_start(environ) == self._variables
            and not any(b"\0" in word for word in words)
            and max(sum(len(word) + 2 for word in part) for part in (argv, words)) < ROOM_BYTES
        )

    def close(self) -> None:
        """End the template; what was forked from it goes on."""
        self._requests.close()
        self._process.wait(EVENT_SEC)


def read_at_start(environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that count when a program starts."""
    return {name: text for name, text in environ.items() if name.startswith(STARTUP)}
