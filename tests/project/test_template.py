"""A command that is forked from the template process is the same as one that is started."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from support.command import Command
from support.files import write_program
from support.template.client import TemplateProcess

SCRIPT = f"""#!{sys.executable}
import sys
from probe.__main__ import main
if __name__ == "__main__":
    sys.exit(main())
"""
PROBE = """
import gc, json, locale, os, probe, resource, signal, subprocess, sys, threading
STATUS = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Cap", "Cpus_allowed:")

def main():
    if sys.argv[1:2] == ["end"]:
        space = dict(globals())
        exec("def end():\\n " + sys.argv[2], space)
        return space["end"]()
    pid = os.getpid()
    streams = ((sys.stdin, sys.__stdin__), (sys.stdout, sys.__stdout__),
               (sys.stderr, sys.__stderr__))
    opened = [number for number in range(200) if os.path.exists(f"/proc/self/fd/{number}")]
    looked = {
        "words": [sys.argv, sys.orig_argv],
        "environ": {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()},
        "of a child": subprocess.run(["/usr/bin/env"], capture_output=True).stdout.hex(),
        "directory": os.getcwd(),
        "descriptors": [(number, os.path.realpath(f"/proc/self/fd/{number}")) for number in opened],
        "status": [line for line in open("/proc/self/status") if line.startswith(STATUS)],
        "parent": os.getppid(),
        "leads": [os.getsid(0) == pid or os.getsid(0), os.getpgid(0) == pid or os.getpgid(0)],
        "tty": subprocess.run(["sh", "-c", ": </dev/tty"], capture_output=True).returncode,
        "shown": [open(f"/proc/self/{name}", "rb").read().rstrip(b"\\0").hex()
                  for name in ("cmdline", "environ")],
        "comm": open("/proc/self/comm").read(),
        "limits": [resource.getrlimit(number) for number in range(16)],
        "streams": [[s.name, s.mode, s.encoding, s.errors, s.line_buffering, s.write_through,
                     s.newlines, s.isatty(), s.buffer.name, s.buffer.mode, type(s.buffer).__name__,
                     s is kept] for s, kept in streams],
        "input": sys.stdin.isatty() or sys.stdin.read(),
        "encodings": [sys.getfilesystemencoding(), locale.getencoding(), locale.setlocale(0)],
        "flags": str(sys.flags),
        "python": [sys.executable, sys.prefix, sys.path],
        "main": [sys.modules["__main__"].__file__, __name__],
        "collector": [gc.isenabled(), gc.get_threshold()],
        "threads": threading.active_count(),
        "handlers": [str(signal.getsignal(number)) for number in range(1, 65)],
        "mask": [str(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
        "nice": os.nice(0),
    }
    text = json.dumps(looked).replace(f"/proc/{pid}/", "/proc/PID/")
    with open(os.environ["SEEN"], "w") as file:
        json.dump({"is_forked": probe.IMPORTED_BY != pid, "looked": text}, file)
"""


class Probe:
    """A console script that writes down what it sees, and the two ways to start it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.path = write_program(folder / "look", SCRIPT)
        (folder / "probe").mkdir()
        (folder / "probe" / "__init__.py").write_text("import os\nIMPORTED_BY = os.getpid()\n")
        (folder / "probe" / "__main__.py").write_text(PROBE)
        self.template = TemplateProcess(self.path, ["probe.*"])

    def start(self, *words: Any, forked: bool = True, **options: Any) -> Command:
        way = self.template if forked else None

        class Started(Command):
            def template(self) -> TemplateProcess | None:
                return way

        pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return Started([self.path, *words], **{**pipes, "text": True, **options})

    def look(self, *words: Any, **options: Any) -> tuple[bool, dict[str, Any]]:
        """Start it; tell whether it was forked, and what it has seen."""
        seen = self.folder / "seen"
        environ = {**os.environ, **options.pop("env", {}), "SEEN": str(seen)}
        ended = self.start(*words, env=environ, **options).completed()
        assert ended.returncode == 0, ended.stderr
        found = json.loads(seen.read_text())
        looked = re.sub(r"pipe:\[\d+\]|/dev/pts/\d+", "a stream", found["looked"])
        return found["is_forked"], json.loads(looked)


@pytest.fixture(scope="module")
def probe(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """The script, beside whose words and directory its start is all that differs."""
    probe = Probe(tmp_path_factory.mktemp("probe"))
    with closing(probe.template):
        yield probe


def differences(plain: dict[str, Any], forked: dict[str, Any]) -> dict[str, Any]:
    return {key: (plain[key], forked[key]) for key in plain if forked[key] != plain[key]}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"env": {"A_NAME": "\udcff", "ANOTHER": "", "MANY": "x\ny", "ORCHESJOB_HOME": "/x"}},
        {"cwd": Path("/usr/lib")},
        {"umask": 0o027},
        {"start_new_session": True},
        {"process_group": 0},
        {"stderr": subprocess.STDOUT},
    ],
    ids=str,
)
def test_nobody_can_tell(probe: Probe, options: dict[str, Any]) -> None:
    """Whatever a forked command looks at, it sees what a started one sees."""
    words = ("", "a b", "\udcff", "für")
    is_plain, plain = probe.look(*words, forked=False, **options)
    is_forked, forked = probe.look(*words, **options)
    assert (is_plain, is_forked) == (False, True)
    assert differences(plain, forked) == {}


@pytest.mark.parametrize(
    "code",
    [
        "return",
        "sys.exit(256 + 7)",
        "os.kill(os.getpid(), signal.SIGPIPE); return 4",
        "print('not flushed', end=''); print('why', end='', file=sys.stderr); return 6",
        "sys.stdout.close(); return 8",
        "threading.Timer(0.1, print, ['late']).start(); return 10",
        "os.execv('/bin/sh', ['sh', '-c', 'exit 12'])",
    ],
)
def test_ends_alike(probe: Probe, code: str) -> None:
    """Its exit code, its output and its errors are the same."""
    plain, forked = (probe.start("end", code, forked=way).completed() for way in (False, True))
    assert vars(plain) == vars(forked)
