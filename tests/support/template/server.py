"""The template process: it has imported what a console script imports, and forks each start.

Each request is one message, the options of the start, with five descriptors: its words and
variables, its directory, stdin, stdout and stderr. The new process answers with its PID before it
runs anything; the PID is negative if it has not become what it was to be, and ends. It is a child
of whoever has begun the template, and is waited for there, as a plain one is.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import io
import json
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from orchesjob_client.forkserver.server import Cloner, added_variables, load, run, show, unpack

READY = b"R"
REFUSED = b"0"
MOST_BYTES = 1024
"""How long a request may be, and an answer."""
DESCRIPTORS = 5
_NOT_BEGUN = 127
_CLONE_PARENT = 0x8000
_SIGNAL_OF_PARENT = 0
"""With that flag the end of a process is announced by the signal that announces the template's."""


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
