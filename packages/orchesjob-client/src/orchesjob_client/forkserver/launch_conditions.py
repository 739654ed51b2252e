"""Launch conditions: when a forked call is certain to be the same as a plain one.

A process inherits more than it is given. Compared are the things that Python and the script read
when they start, and everything that a child inherits from its parent. If any of them has changed
since the fork server started, the call is a plain one.
"""

import os
import re
import resource
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchesjob_client.call import LaunchRequest
from orchesjob_client.environment import EXECUTABLE, OURS
from orchesjob_client.forkserver.server import MOST_HELD, fingerprint

STARTUP = (
    *(b"PYTHON", b"LC_", b"LANG", b"LD_", b"HOME", b"TZ", b"LOCPATH", b"GCONV_PATH"),
    *(b"GLIBC_", b"MALLOC_", b"SQLITE_", b"COV", b"SETUPTOOLS_"),
)
"""How the variables begin that the loader, the C library and Python read when a program starts."""
_READ = (*STARTUP, b"ORCHESJOB")
"""How those begin that orchesjob too may read when it starts."""
_OURS = (OURS.encode(), EXECUTABLE.encode())
"""How those begin that differ from call to call, or that steps get, and that orchesjob ignores."""
_PATHS = (
    *(b"HOME", b"LD_LIBRARY_PATH", b"LD_PRELOAD", b"PYTHONPATH", b"PYTHONHOME"),
    *(b"PYTHONPYCACHEPREFIX", b"PYTHONUSERBASE", b"PYTHONPLATLIBDIR"),
)
"""Those that hold paths; a relative one would be relative to the directory of each call."""

_INTERPRETER = re.compile(r"#! ?(/[^\s]{1,120})(?: (-[EIPSs]{1,5}))?")
_IMPORT = re.compile(r"from ([A-Za-z_][\w.]*) import (main)")
_OTHER_LINES = {
    "# -*- coding: utf-8 -*-",
    "import re",
    "import sys",
    "if __name__ == '__main__':",
    'if __name__ == "__main__":',
    r"sys.argv[0] = re.sub(r'(-script\.pyw|\.exe)?$', '', sys.argv[0])",
    r"sys.argv[0] = re.sub(r'(-script\.pyw?|\.exe)?$', '', sys.argv[0])",
    "sys.argv[0] = sys.argv[0].removesuffix('.exe')",
    'if sys.argv[0].endswith("-script.pyw"):',
    "sys.argv[0] = sys.argv[0][:-11]",
    'elif sys.argv[0].endswith(".exe"):',
    "sys.argv[0] = sys.argv[0][:-4]",
    "sys.exit(main())",
}
"""What a console script consists of, as pip, pipx and uv write it, but for its one import."""
_LONGEST = 4096
_ELF = b"\x7fELF"

_INHERITED = re.compile(
    r"(?m)^(?:Umask|Uid|Gid|Groups|Sig(?:Blk|Ign)|Cap\w+|NoNewPrivs|Seccomp\w*|Cpus_allowed"
    r"|Mems_allowed):.*$"
)
_PLACES = ("root", "ns/mnt", "ns/pid_for_children", "ns/net", "ns/ipc", "ns/uts", "ns/user")
_OWN = Path("/proc/thread-self")
_LONGEST_WORDS = 100_000
"""Bytes of words and variables. Whether the system runs a call with more depends on limits that a
fork does not check."""
_POINTER = 8
_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


class Unsuitable(Exception):
    """Why there can be no fork server for an executable."""


class ConsoleScript(NamedTuple):
    """A console script: how the system runs it, and what it imports."""

    interpreter: list[str]
    module: str


def read_script(executable: str) -> ConsoleScript:
    """Read an executable that must be a console script of pip, pipx or uv, and nothing else.

    Raises:
        Unsuitable: It is something else.
        OSError: It cannot be read.
    """
    path = Path(executable)
    if not path.is_absolute() or not os.access(path, os.X_OK):
        raise Unsuitable(f"{executable} is not the path of an executable")
    if path.stat().st_mode & (stat.S_ISUID | stat.S_ISGID):
        raise Unsuitable(f"{executable} runs as somebody else")
    with path.open("rb") as file:
        first, *lines = file.read(_LONGEST).decode("utf-8", "replace").split("\n")
    words = [line.strip() for line in lines if line.strip()]
    found = _INTERPRETER.fullmatch(first)
    imports = [match for word in words if (match := _IMPORT.fullmatch(word))]
    others = {word for word in words if not _IMPORT.fullmatch(word)}
    if found is None or len(imports) != 1 or not others <= _OTHER_LINES:
        raise Unsuitable(f"{executable} is not a plain console script of pip, pipx or uv")
    interpreter, flags = found.groups()
    with open(interpreter, "rb") as file:  # noqa: PTH123 - an interpreter that is a script reads on
        if file.read(len(_ELF)) != _ELF:
            raise Unsuitable(f"{interpreter} is not a program of its own")
    return ConsoleScript([interpreter, *([flags] if flags else [])], imports[0][1])


class LaunchConditions(NamedTuple):
    """The conditions under which a fork server was launched; its calls must have the same."""

    executable: bytes
    variables: Mapping[bytes, bytes]
    inherited: tuple[object, ...]

    @classmethod
    def now(cls, executable: str, environ: Mapping[bytes, bytes]) -> "LaunchConditions":
        """Return the conditions of a fork server that starts now.

        Raises:
            Unsuitable: A variable means something else in each directory.
            OSError: Some of it cannot be seen.
        """
        for name in _PATHS:
            text = environ.get(name)
            if text and not all(path.startswith(b"/") for path in text.split(b":")):
                raise Unsuitable(f"{name.decode()} is relative to the directory of each call")
        return cls(os.fsencode(executable), _startup_variables(environ), inherited_attributes())

    def suits(self, request: LaunchRequest) -> bool:
        """Tell whether a process launched now is the same from the fork server and plainly."""
        words = (*request.argv, *request.environ, *request.environ.values())
        try:
            return (
                request.argv[0] == self.executable
                and not any(b"\0" in word for word in words)
                and b"" not in request.environ
                and sum(map(len, words)) + _POINTER * len(words) <= _LONGEST_WORDS
                and len(request.descriptors) <= MOST_HELD
                and _startup_variables(request.environ) == self.variables
                and inherited_attributes() == self.inherited
            )
        except OSError:
            return False


def _startup_variables(environ: Mapping[bytes, bytes]) -> dict[bytes, bytes]:
    """Return the variables that count when a program starts."""
    return {
        name: text
        for name, text in environ.items()
        if name.startswith(_READ) and not name.startswith(_OURS)
    }


def inherited_attributes() -> tuple[object, ...]:
    """Return what a child of this thread inherits, except variables, directory and descriptors.

    Raises:
        OSError: Some of it cannot be seen.
    """
    status = (_OWN / "status").read_text("utf-8", "surrogateescape")
    return (
        _INHERITED.findall(status),
        (_OWN / "cgroup").read_bytes(),
        (_OWN / "oom_score_adj").read_bytes(),
        [os.readlink(f"/proc/self/{name}") for name in _PLACES],  # noqa: PTH115
        [resource.getrlimit(limit) for limit in _LIMITS],
        os.getpriority(os.PRIO_PROCESS, 0),
    )


def has_changed(files: Mapping[str, str]) -> bool:
    """Tell whether any of these files has changed since its fingerprint was taken."""
    return any(fingerprint(path) != known for path, known in files.items())
