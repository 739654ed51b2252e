"""A forked call is the same as a plain one, or it is a plain one (rule 5.13)."""

import json
import os
import re
import resource
import shutil
import signal
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchesjob_client import CallRefused, ForkServer, Hold, call, spawning
from orchesjob_client.call import PLAIN, Launcher

type Script = Callable[..., str]
type Begin = Callable[..., ForkServer]

LIMIT_SEC = 30.0
LOOK = r"""
import locale
import resource
status = open("/proc/self/status").read().splitlines()
kept = ("Umask", "Uid", "Gid", "Groups", "SigBlk", "SigIgn", "SigCgt", "Cap", "Cpus_allowed:")
print(json.dumps({
    "argv": sys.argv,
    "environ": {os.fsencode(k).hex(): os.fsencode(v).hex() for k, v in os.environ.items()},
    "of a child": subprocess.run(["/usr/bin/env"], capture_output=True).stdout.hex(),
    "directory": os.getcwd(),
    "descriptors": sorted(os.path.realpath(f"/proc/self/fd/{n}") for n in "012"),
    "how many": len(os.listdir("/proc/self/fd")),
    "files": sorted(os.path.realpath(f"/proc/self/fd/{n}") for n in os.listdir("/proc/self/fd")
                    if os.path.realpath(f"/proc/self/fd/{n}").startswith("/") and int(n) > 2
                    and not os.path.realpath(f"/proc/self/fd/{n}").startswith("/proc")),
    "status": [line for line in status if line.startswith(kept)],
    "leads": os.getpid() == os.getsid(0) == os.getpgid(0),
    "shown": [open(f"/proc/self/{n}", "rb").read().rstrip(b"\0").hex()
              for n in ("cmdline", "environ")],
    "comm": open("/proc/self/comm").read(),
    "cgroup": open("/proc/self/cgroup").read(),
    "limits": [resource.getrlimit(n) for n in range(16)],
    "streams": [[s.encoding, s.errors, s.line_buffering, s.isatty()]
                for s in (sys.stdin, sys.stdout, sys.stderr)],
    "input": sys.stdin.read(),
    "encodings": [sys.getfilesystemencoding(), locale.getencoding(), locale.setlocale(0)],
    "flags": str(sys.flags),
    "python": [sys.executable, sys.prefix, sys.path],
    "main": [sys.modules["__main__"].__file__, sys.modules["__main__"].__name__],
    "handlers": [str(signal.getsignal(n)) for n in range(1, 65)],
    "mask": [str(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "nice": os.nice(0),
}).replace(f"/proc/{os.getpid()}/", "/proc/PID/"))
"""


def run(launcher: Launcher, path: str, *words: str, **options: Any) -> call.Finished:
    """Run a program."""
    given: dict[str, Any] = {"limit_sec": LIMIT_SEC, "env": os.environ, "launcher": launcher}
    return call.run("program", [path, *words], **given | options)


def document(finished: call.Finished) -> Any:
    """Return what a program has printed; its pipes have other numbers each time."""
    return json.loads(re.sub(r"pipe:\[\d+\]", "pipe", finished.stdout))


def without_locale(**variables: str) -> dict[str, str]:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    return {**{k: v for k, v in os.environ.items() if k not in names}, **variables}


ENVIRONS = {
    "as it is": dict(os.environ),
    "no locale": without_locale(),
    "C": without_locale(LC_ALL="C"),
    "UTF-8": without_locale(LANG="C.UTF-8"),
    "bytes": {**os.environ, "A_NAME": "\udcff", "ANOTHER": "", "MANY": "x\ny"},
    "none": {},
}


@pytest.mark.parametrize(
    ("environ", "flags"),
    [*((environ, "") for environ in ENVIRONS.values()), (ENVIRONS["no locale"], " -Es")],
    ids=[*ENVIRONS, "as under pipx"],
)
def test_nobody_can_tell(
    console_script: Script,
    fork_server: Begin,
    tmp_path: Path,
    environ: Mapping[str, str],
    flags: str,
) -> None:
    """Whatever a call looks at, it sees the same (rule 5.13)."""
    path = console_script(LOOK, flags=flags)
    with (tmp_path / "lock").open("w") as lock:
        options = {"env": environ, "cwd": str(tmp_path), "hold": Hold([lock.fileno()])}
        words = ("", "a b", "\udcff", "für")
        seen = [run(one, path, *words, **options) for one in (PLAIN, fork_server(path, environ))]
    plain, forked = map(document, seen)
    assert {key: forked[key] for key in plain if forked[key] != plain[key]} == {}
    assert (seen[1].exit_code, seen[1].stderr_line) == (0, "")


ENDINGS = (
    "return",
    "return 3",
    "return 'why'",
    "sys.exit(256 + 7)",
    "sys.exit(-1)",
    "sys.exit([])",
    "raise ValueError('why')",
    "raise KeyboardInterrupt",
    "os._exit(9)",
    "os.kill(os.getpid(), signal.SIGKILL)",
    # Where the tests run in the background of a shell, it is ignored.
    "signal.signal(2, signal.default_int_handler); os.kill(os.getpid(), 2); signal.pause()",
    "os.kill(os.getpid(), signal.SIGTERM); signal.pause()",
    "os.kill(os.getpid(), signal.SIGPIPE); return 4",
    "print('x' * 1_000_000); return 5",
    "print('not flushed', end=''); print('why', end='', file=sys.stderr); return 6",
    "print('a'); sys.stdout.flush(); os.close(1); print('b'); return 7",
    "sys.stdout.close(); return 8",
    "import atexit; atexit.register(print, 'at exit'); return 9",
    "import threading; threading.Timer(0.1, print, ['late']).start(); return 10",
    "sys.stdout = None; return 11",
    "with open('/dev/full', 'w') as sys.stdout: print(1)",
    "sys.stdout = open('/dev/full', 'w'); print(1)",
    "subprocess.run(['true'], check=True); return 12",
)


def test_ends_alike(console_script: Script, fork_server: Begin) -> None:
    """Its exit code, its output and the last word of its stderr are the same (rule 5.13)."""
    path = console_script(
        "space = dict(globals())\nexec('def f():\\n ' + sys.argv[1], space)\nreturn space['f']()"
    )
    forked = fork_server(path)
    for code in ENDINGS:
        assert (code, run(forked, path, code)) == (code, run(PLAIN, path, code))
    assert forked.obstacle() is None


WHOSE_CHILD = "print(os.getppid())"


def is_forked(finished: call.Finished) -> bool:
    """Tell whether a program that prints its parent was started by a fork server."""
    return int(finished.stdout) != os.getpid()


def test_cgroup(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """A process enters its cgroup before it runs anything, and runs if that is refused too."""
    path = console_script("print(open(sys.argv[1]).read(), len(os.listdir('/proc/self/fd')))")
    procs = tmp_path / "cgroup.procs"
    for launcher in (PLAIN, fork_server(path)):
        procs.write_text("")
        # This folder is no cgroup: nothing can be forked into it, but one can write to its file.
        with opened(tmp_path) as folder:
            finished = run(launcher, path, str(procs), cgroup=folder)
            assert finished.stdout.split() == ["0", "4"]
            procs.unlink()
            assert run(launcher, path, os.devnull, cgroup=folder).exit_code == 0


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """Open a folder for as long as the block is executed."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def test_in_a_cgroup(
    console_script: Script, fork_server: Begin, a_cgroup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is forked or spawned into its cgroup is the same as what has entered it (rule 5.13)."""
    path = console_script(LOOK)
    forked = fork_server(path)
    # What is open here for others is not open there, even if it is of those that are inherited.
    with opened(a_cgroup) as folder, opened(a_cgroup.parent) as held, opened(Path("/")) as stray:
        os.set_inheritable(stray, True)
        options = {"cgroup": folder, "cwd": str(a_cgroup), "hold": Hold([held])}
        seen = [document(run(way, path, "", "für", **options)) for way in (PLAIN, forked)]
        # The C library of a test is that of its machine: an older one has to be acted.
        monkeypatch.setattr(spawning, "_library", lambda: None)
        entered = document(run(PLAIN, path, "", "für", **options))
    assert seen == [entered, entered]
    assert entered["cgroup"].split()[-1].endswith(a_cgroup.name)
    assert entered["files"] == [str(a_cgroup.parent)]
    assert forked.obstacle() is None


FORK_INTO = """
import os, signal, sys, threading
from orchesjob_client.forkserver.server import Cloner

def look():
    # The C library sends the signal to the number that it has for this thread.
    signal.pthread_kill(threading.main_thread().ident, signal.SIGWINCH)
    print(open("/proc/self/cgroup").read().split()[-1], os.getppid() == caller)

caller = os.getpid()
if (pid := Cloner().fork_into(int(sys.argv[1]))) == 0:
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
elif pid is not None:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def fork_into(folder: Path) -> list[str]:
    with opened(folder) as descriptor:
        words = [sys.executable, "-c", FORK_INTO, str(descriptor)]
        held = Hold([descriptor])
        finished = call.run("a fork", words, limit_sec=LIMIT_SEC, env=os.environ, hold=held)
    assert finished.exit_code == 0
    return finished.stdout.split()


def test_fork_into_a_cgroup(a_cgroup: Path) -> None:
    """A new process is in the cgroup from its first moment, and whole (rule 5.13)."""
    place, is_child = fork_into(a_cgroup)
    assert place.endswith(a_cgroup.name)
    assert is_child == "True"


@pytest.mark.parametrize("is_own", [True, False])
def test_where_processes_were_killed(
    console_script: Script, fork_server: Begin, a_cgroup: Path, *, is_own: bool
) -> None:
    """A call runs, and in its cgroup, where the kernel kills what is forked or spawned there.

    It does so where `cgroup.kill` was ever written, or if that was in the runner's own cgroup.
    """
    path = console_script("print(os.getppid(), open('/proc/self/cgroup').read().split()[-1])")
    inner = a_cgroup / "inner"
    if not (a_cgroup / "cgroup.kill").exists():
        # Before Linux 5.14 no cgroup can be killed as a whole, so there is nothing to survive.
        pytest.skip("needs Linux 5.14")
    (a_cgroup / "cgroup.kill").write_text("1", "ascii")
    inner.mkdir()
    place, before = (inner, a_cgroup) if is_own else (a_cgroup, a_cgroup.parent)
    try:
        (before / "cgroup.procs").write_text("0", "ascii")
        forked = fork_server(path)
        for launcher in (PLAIN, forked):
            with opened(place) as folder:
                parent, inside = run(launcher, path, cgroup=folder).stdout.split()
            assert inside.endswith(f"{a_cgroup.name}/inner" if is_own else a_cgroup.name)
            assert (int(parent) == os.getpid()) == (launcher is PLAIN)
        forked.close()
    finally:
        (a_cgroup.parent / "cgroup.procs").write_text("0", "ascii")
        inner.rmdir()


def test_fork_into_no_cgroup(tmp_path: Path) -> None:
    """What cannot be forked into is said by nothing being forked; the usual fork is left then."""
    assert fork_into(tmp_path) == []


def test_one_fork_server_for_all_calls(console_script: Script, fork_server: Begin) -> None:
    """All calls come from one fork server, and leave it nothing to carry over."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    parents = {run(forked, path).stdout for _ in range(20)}
    assert len(parents) == 1
    assert int(parents.pop()) != os.getpid()


@contextmanager
def another_umask() -> Iterator[None]:
    before = os.umask(0o027)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def an_ignored_signal() -> Iterator[None]:
    before = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def a_blocked_signal() -> Iterator[None]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def another_limit() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    other = 0 if soft else 1
    resource.setrlimit(resource.RLIMIT_CORE, (other, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


@pytest.mark.parametrize(
    "change", [another_umask, an_ignored_signal, a_blocked_signal, another_limit]
)
def test_what_is_inherited(
    console_script: Script, fork_server: Begin, change: Callable[[], Any]
) -> None:
    """What a child inherits must be as the fork server inherited it, or the call is plain."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    with change():
        assert not is_forked(run(forked, path))
    assert is_forked(run(forked, path))


@pytest.mark.parametrize(
    ("name", "is_same"),
    [
        *((name, False) for name in ("PYTHONPATH", "LC_TIME", "LD_DEBUG_OUTPUT", "HOME", "TZ")),
        *((name, True) for name in ("PATH", "ORCHESJOB_FLOW_MARK", "ORCHESJOB_BIN", "PWD")),
        ("ORCHESJOB_HOME", False),
    ],
)
def test_variables_of_a_start(
    console_script: Script, fork_server: Begin, name: str, is_same: bool
) -> None:
    """Variables that are read at a start must be those of the fork server's own start."""
    path = console_script(WHOSE_CHILD)
    assert is_forked(run(fork_server(path), path, env={**os.environ, name: "/x"})) is is_same


def test_another_priority(console_script: Script, fork_server: Begin) -> None:
    """A child inherits the priority of the thread that starts it."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)

    def run_nicely() -> call.Finished:
        os.setpriority(os.PRIO_PROCESS, 0, os.getpriority(os.PRIO_PROCESS, 0) + 1)
        return run(forked, path)

    with ThreadPoolExecutor(1) as pool:  # a priority that was lowered may stay so
        assert not is_forked(pool.submit(run_nicely).result())
    assert is_forked(run(forked, path))


def test_too_much_for_the_system(console_script: Script, fork_server: Begin) -> None:
    """What the system may refuse to pass is left to it to refuse."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    assert not is_forked(run(forked, path, "x" * 20_000))
    assert not is_forked(run(forked, path, env={**os.environ, "LONG": "x" * 20_000}))
    assert is_forked(run(forked, path, "x" * 10_000, env={**os.environ, "LONG": "x" * 10_000}))
    assert not is_forked(run(forked, path, "x" * 100_000))
    with pytest.raises(CallRefused, match="longer than the system allows"):
        run(forked, path, *["x" * 100_000] * 100)
    with pytest.raises(CallRefused, match="cannot be passed"):
        run(forked, path, "\0")


def test_directory_that_is_gone(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """Where nothing can begin, the plain way says why, and the fork server stays."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    with pytest.raises(CallRefused, match="cannot be entered"):
        run(forked, path, cwd=str(tmp_path / "gone"))
    assert is_forked(run(forked, path))


def change_text(path: Path) -> None:
    path.write_text(f"{path.read_text('utf-8')}\n", encoding="utf-8")


def replace(path: Path) -> None:
    new = path.with_name("new")
    new.write_text(path.read_text("utf-8").replace("main()", "main( )"), encoding="utf-8")
    new.chmod(0o755)
    new.rename(path)


def change_in_place(path: Path) -> None:
    size = path.stat().st_size
    path.write_text(f"{path.read_text('utf-8').removesuffix('\n')} ", encoding="utf-8")
    assert path.stat().st_size == size


def replace_by_the_same_size(path: Path) -> None:
    shutil.copy2(path, path.with_name("new"))
    path.with_name("new").rename(path)


def change_mode(path: Path) -> None:
    path.chmod(path.stat().st_mode ^ stat.S_IRGRP)


@pytest.mark.parametrize(
    "change", [change_text, replace, change_in_place, replace_by_the_same_size, change_mode]
)
@pytest.mark.parametrize("name", ["program", "module_of_program.py"])
def test_upgrade(
    console_script: Script, fork_server: Begin, name: str, change: Callable[[Path], None]
) -> None:
    """What is not what the fork server has imported is run as it is now (rule 5.13)."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    assert is_forked(run(forked, path))
    change(Path(path).with_name(name))
    assert not is_forked(run(forked, path))
    assert "has changed" in (forked.obstacle() or "")


def test_replaced_by_a_wrapper(console_script: Script, fork_server: Begin) -> None:
    """A wrapper that takes the script's place is run."""
    path = console_script(WHOSE_CHILD)
    forked = fork_server(path)
    Path(path).unlink()
    Path(path).write_text("#!/bin/sh\necho wrapped\n", encoding="utf-8")
    Path(path).chmod(0o755)
    assert run(forked, path).stdout == "wrapped\n"


def test_another_interpreter(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """Where a link leads to another interpreter since, that one is run."""
    python = tmp_path / "python"
    python.symlink_to(sys.executable)
    path = console_script(WHOSE_CHILD)
    text = Path(path).read_text("utf-8")
    Path(path).write_text(text.replace(sys.executable, str(python)), encoding="utf-8")
    forked = fork_server(path)
    assert is_forked(run(forked, path))
    python.unlink()
    python.symlink_to("/bin/echo")
    assert run(forked, path).stdout == f"{path}\n"


def test_through_a_link(console_script: Script, fork_server: Begin, tmp_path: Path) -> None:
    """A link in a folder of programs leads to the script, as pipx and uv make it."""
    path = console_script(LOOK)
    (tmp_path / "bin").mkdir()
    link = tmp_path / "bin" / "program"
    link.symlink_to(path)
    seen = [document(run(one, str(link))) for one in (PLAIN, fork_server(str(link)))]
    assert seen[0] == seen[1]
    link.unlink()
    link.symlink_to(console_script("return 7", "other"))
    assert run(fork_server(str(link)), str(link)).exit_code == 7


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("#!/bin/sh\necho x\n", "not a plain console script"),
        ("#!/usr/bin/env python3\nimport sys\nfrom m import main\nsys.exit(main())\n", "not a pl"),
        ("#!{python}\nimport sys, os\nfrom m import main\nsys.exit(main())\n", "not a plain"),
        ("#!{python}\nimport sys\nsys.exit(0)\n", "not a plain console script"),
        ("#!{python} -X dev\nimport sys\nfrom m import main\nsys.exit(main())\n", "not a plain"),
        ("#!{wrapper}\nimport sys\nfrom m import main\nsys.exit(main())\n", "of its own"),
        ("#!{python}\nimport sys\nfrom m import main\nsys.exit(main())\n", "has ended: .*'m'"),
    ],
)
def test_other_programs(tmp_path: Path, text: str, reason: str) -> None:
    """Whatever is not a console script of pip, pipx or uv has no fork server, which says why."""
    wrapper = tmp_path / "python"
    wrapper.write_text("#!/bin/sh\n", encoding="utf-8")
    wrapper.chmod(0o755)
    path = tmp_path / "program"
    path.write_text(
        text.format(python=os.path.realpath("/proc/self/exe"), wrapper=wrapper), encoding="utf-8"
    )
    path.chmod(0o755)
    forked = ForkServer(str(path), os.environ)
    assert re.search(reason, forked.obstacle() or "")
    forked.close()


def test_turned_off(console_script: Script) -> None:
    """`ORCHESJOB_FLOW_FORK_SERVER=0` turns the fork server off."""
    path = console_script(WHOSE_CHILD)
    forked = ForkServer(path, {**os.environ, "ORCHESJOB_FLOW_FORK_SERVER": "0"})
    assert forked.obstacle() == "ORCHESJOB_FLOW_FORK_SERVER=0 turns the fork server off"
    assert not is_forked(run(forked, path))
    forked.close()


def test_relative_paths(console_script: Script) -> None:
    """A relative path in a variable means something else in each call's directory."""
    forked = ForkServer(console_script(WHOSE_CHILD), {**os.environ, "PYTHONPATH": "/x:lib"})
    assert forked.obstacle() == "PYTHONPATH is relative to the directory of each call"
    forked.close()


@pytest.mark.integration
@pytest.mark.parametrize("flags", ["", " -I"])
def test_orchesjob_itself(fork_server: Begin, tmp_path: Path, flags: str) -> None:
    """The real orchesjob is such a script, also with the flags that pipx gives it."""
    lines = Path(sys.executable).with_name("orchesjob").read_text("utf-8").splitlines(True)
    path = tmp_path / "orchesjob"
    path.write_text(f"#!{sys.executable}{flags}\n{''.join(lines[1:])}", encoding="utf-8")
    path.chmod(0o755)
    environ = {**os.environ, "ORCHESJOB_HOME": str(tmp_path / "jobs")}
    forked = fork_server(str(path), environ)
    for words in (["--version"], ["status", "--run-key=k"], ["--unknown"], []):
        plain = run(PLAIN, str(path), *words, env=environ)
        assert run(forked, str(path), *words, env=environ) == plain
