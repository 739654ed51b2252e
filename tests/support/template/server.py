"""The template process: it has imported what a console script imports, and forks each start.

Each request is one message, the options of the start, with five descriptors: its words and
variables, its directory, stdin, stdout and stderr. The new process answers with its PID before it
runs anything; the PID is negative if it has not become what it was to be, and ends. It is a child
of whoever has begun the template, and is waited for there, as a plain one is.
"""

import atexit
import contextlib
import ctypes
import errno
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import re
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

READY = b"R"
REFUSED = b"0"
MOST_BYTES = 1024
"""How long a request may be, and an answer."""
DESCRIPTORS = 5
_NOT_BEGUN = 127
_CLONE_PARENT = 0x8000
_SIGNAL_OF_PARENT = 0
"""With that flag the end of a process is announced by the signal that announces the template's."""


ROOM = "ORCHESJOB_FLOW_ROOM"
"""The variable that makes room for those of a process, as our last word does for its words."""


ROOM_BYTES = 2**14
_PR_GET_TID_ADDRESS = 40
_SYS_CLONE3 = 435
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x200000, 0x1000000
_CLONE_ARGUMENTS = struct.Struct("11Q")


def pack(argv: Sequence[bytes], environ: Mapping[bytes, bytes]) -> bytes:
    """Write the words and variables of a request; none of them can hold a NUL."""
    variables = [word for pair in environ.items() for word in pair]
    return b"\0".join([b"%d" % len(argv), *argv, *variables])


def unpack(packed: bytes) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Read what `pack` has written."""
    count, *words = packed.split(b"\0")
    variables = words[int(count) :]
    return words[: int(count)], dict(zip(variables[::2], variables[1::2], strict=True))


class Cloner:
    """Forks with other flags than `os.fork`, by the system call that the C library makes."""

    def __init__(self) -> None:
        """Find out where the C library keeps the number of a thread, which a fork renews."""
        self._c = ctypes.PyDLL(None, use_errno=True)
        address = ctypes.c_uint64()
        is_known = self._c.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0
        self._tid_address = address.value if is_known else None

    def fork(self, flags: int, *, exit_signal: int = signal.SIGCHLD) -> int | None:
        """Do what `os.fork` does, with these flags of `clone3` too; None if that is refused."""
        if not self._tid_address:
            return None
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
        packed = _CLONE_ARGUMENTS.pack(flags, 0, self._tid_address, 0, exit_signal, *[0] * 6)
        arguments = ctypes.create_string_buffer(packed, len(packed))
        ctypes.pythonapi.PyOS_BeforeFork()
        pid = int(self._c.syscall(_SYS_CLONE3, arguments, ctypes.c_size_t(len(packed))))
        if pid == 0:
            ctypes.pythonapi.PyOS_AfterFork_Child()
        else:
            ctypes.pythonapi.PyOS_AfterFork_Parent()
        return None if pid < 0 else pid


def show(words: Sequence[bytes], environ: Mapping[bytes, bytes] | None = None) -> None:
    """Let the system show other words and variables of this process than those of its start.

    It looks for them where it has put them, in the memory of the process. They identify a call
    whose runner has died. No variable of ours may be there any more.

    Raises:
        OSError: There is no room for them.
    """
    fields = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()
    word_start, word_end, variable_start, variable_end = map(int, fields[45:49])
    shown = [(words, word_start, word_end)]
    if environ is not None:
        variables = [b"%s=%s" % pair for pair in environ.items()]
        shown.append((variables, variable_start, variable_end))
    with Path("/proc/self/mem").open("r+b", buffering=0) as memory:
        for texts, start, end in shown:
            text = b"".join(b"%s\0" % one for one in texts)
            if len(text) > end - start:
                raise OSError(errno.E2BIG, "there is no room to show the words or variables")
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))


def run(script: str, code: CodeType) -> None:
    """Run the script as Python itself would, and exit as soon as nothing can be lost."""
    main = ModuleType("__main__")
    main.__file__ = script
    main.__dict__["__builtins__"] = __builtins__
    sys.modules["__main__"] = main
    exit_code = 0
    try:
        exec(code, main.__dict__)  # noqa: S102 - it is the script itself
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            raise  # Python prints it
        exit_code = error.code or 0
    threading = sys.modules.get("threading")
    if atexit._ncallbacks() or (threading is not None and threading.active_count() > 1):
        sys.exit(exit_code)  # something is still to be done at the end
    gc.collect()  # a database that is left open is closed here, as at Python's end
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        sys.exit(exit_code)  # what Python does about it is up to Python
    os._exit(exit_code & 0xFF)


def added_variables() -> dict[bytes, bytes]:
    """Return what Python itself has put into the environment at its start (PEP 538)."""
    words = Path("/proc/self/environ").read_bytes().split(b"\0")
    given = dict(word.split(b"=", 1) for word in words if b"=" in word)
    return {name: text for name, text in os.environb.items() if given.get(name) != text}


def load(script: str) -> CodeType:
    """Return the code of the script, whose name this process gets, and whose place for modules."""
    path = Path(script)
    Path("/proc/self/comm").write_bytes(os.fsencode(path.name))  # what the system calls it
    if not sys.flags.safe_path:  # what is beside us is not beside the script
        sys.path[0] = str(path.resolve().parent)
    return compile(path.read_bytes(), script, "exec", dont_inherit=True)


STARTUP = (
    *(b"PYTHON", b"LC_", b"LANG", b"LD_", b"HOME", b"TZ", b"LOCPATH", b"GCONV_PATH"),
    *(b"GLIBC_", b"MALLOC_", b"SQLITE_", b"COV", b"SETUPTOOLS_"),
)
"""How the variables begin that the loader, the C library and Python read when a program starts."""


_INHERITED = re.compile(
    r"(?m)^(?:Umask|Uid|Gid|Groups|Sig(?:Blk|Ign)|Cap\w+|NoNewPrivs|Seccomp\w*|Cpus_allowed"
    r"|Mems_allowed):.*$"
)


_PLACES = ("root", "ns/mnt", "ns/pid_for_children", "ns/net", "ns/ipc", "ns/uts", "ns/user")


_OWN = Path("/proc/thread-self")


_LIMITS = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]


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


class Options(NamedTuple):
    """What a start asks for besides words, variables, directory and streams; as `Popen` does."""

    umask: int = -1
    start_new_session: bool = False
    process_group: int = -1


class Start(NamedTuple):
    """What a new process has been given."""

    options: Options
    descriptors: list[int]


def serve(requests: socket.socket) -> Start | None:
    """Fork until nobody asks any more; in a new process, return what it has been given instead."""
    cloner = Cloner()
    while True:
        message, descriptors, _, _ = socket.recv_fds(requests, MOST_BYTES, DESCRIPTORS)
        if not message:
            return None
        pid = cloner.fork(_CLONE_PARENT, exit_signal=_SIGNAL_OF_PARENT)
        if pid == 0:
            return Start(Options(*json.loads(message)), descriptors)
        close_all(descriptors)
        if pid is None:
            requests.send(REFUSED)


def become(start: Start, python: Sequence[bytes], added: Mapping[bytes, bytes]) -> None:
    """Become the process of a start, all but what it runs.

    Raises:
        OSError: It is refused.
    """
    words, directory, *streams = start.descriptors
    os.fchdir(directory)
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    if start.options.umask >= 0:
        os.umask(start.options.umask)
    if start.options.start_new_session:
        os.setsid()
    if start.options.process_group >= 0:
        os.setpgid(0, start.options.process_group)
    with open(words, "rb", closefd=False) as file:
        argv, environ = unpack(file.read())
    close_all(start.descriptors)
    os.environb.clear()
    os.environb.update({**environ, **added})
    sys.argv[:] = [os.fsdecode(word) for word in argv]
    sys.orig_argv[:] = [os.fsdecode(word) for word in (*python, *argv)]
    reopen_streams()
    show([*python, *argv], environ)


def reopen_streams() -> None:
    """Make the streams anew, as Python does at its start: what they are open for has changed."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before: io.TextIOWrapper = getattr(sys, name)
        is_input, is_unbuffered = name == "stdin", before.write_through
        mode = "rb" if is_input else "wb"
        buffering = 0 if is_unbuffered and not is_input else -1
        buffer = os.fdopen(number, mode, buffering, closefd=False)
        vars(getattr(buffer, "raw", buffer))["name"] = f"<{name}>"
        stream = io.TextIOWrapper(
            buffer,
            before.encoding,
            before.errors,
            newline="\n",
            line_buffering=not is_unbuffered and (name == "stderr" or buffer.isatty()),
            write_through=is_unbuffered,
        )
        vars(stream)["mode"] = before.mode
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def import_all(modules: Sequence[str]) -> None:
    """Import modules; for `PACKAGE.*`, all of a package but those that are programs."""
    for name in modules:
        module = importlib.import_module(package := name.removesuffix(".*"))
        inside = pkgutil.walk_packages(module.__path__, f"{package}.") if package != name else ()
        for found in inside:
            if not found.name.endswith(".__main__"):
                importlib.import_module(found.name)


def pause_measuring() -> Callable[[], object]:
    """Save what is measured for coverage so far; return what measures a new process."""
    coverage = sys.modules.get("coverage")
    if coverage is None or (measured := coverage.Coverage.current()) is None:
        return lambda: None
    measured.stop()
    measured.save()
    return functools.partial(coverage.process_startup, force=True)


def close_all(descriptors: list[int]) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)


def main() -> None:
    """Import, say that all is ready, serve; in a new process, run the script."""
    descriptor, script, modules, _ = sys.argv[1:]
    words = [os.fsencode(word) for word in sys.orig_argv[:-1]]
    python = words[: -len(sys.argv[:-1])]
    code = load(script)
    added = added_variables()
    show(words)
    import_all(modules.split(","))
    measure = pause_measuring()
    # All that has been registered is that what is logged be written, and the program logs nothing;
    # but with anything left to do, Python takes 20 ms to end.
    atexit._clear()
    requests = socket.socket(fileno=int(descriptor))
    requests.set_inheritable(False)
    gc.collect()
    gc.freeze()
    requests.send(READY)
    start = None
    with contextlib.suppress(KeyboardInterrupt):  # whoever has begun the template answers a Ctrl-C
        start = serve(requests)
    if start is not None:
        try:
            become(start, python, added)
            requests.send(b"%d" % os.getpid())
            requests.close()
        except OSError:
            requests.send(b"%d" % -os.getpid())
            os._exit(_NOT_BEGUN)
        measure()
        run(script, code)


if __name__ == "__main__":
    main()
