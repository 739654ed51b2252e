"""The fork server: it has imported what an executable script imports, and forks for each call.

It is run by path in orchesjob's Python (3.12 or later), which may know nothing of us. So it imports
nothing of ours, and all of it is in this one file. It has one thread, and ends with its client.
Each request comes as one message with descriptors: the words and variables, the call's status
socket, its directory, stdout, stderr, perhaps a cgroup, and the descriptors that the call holds
while it lives. These messages go along the status socket:

    P<pid>   from the new process, with its pidfd, before it runs anything: it has begun
    X<code>  from the server, when the process has been reaped: its exit code, or -N for signal N
    K        to the server: kill the process and its group, unless it has been reaped

An end of the status socket, or an X, without a P before it means that nothing ran.
"""

import atexit
import contextlib
import errno
import gc
import importlib
import importlib.util
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from types import CodeType, ModuleType
from typing import NamedTuple

READY, BEGUN, EXITED, KILL = b"R", b"P", b"X", b"K"
WITH_CGROUP, WITHOUT_CGROUP = b"c", b"-"
MOST_HELD = 200
"""How many descriptors may be held by a call; the system lets 253 pass in all."""
ROOM = "ORCHESJOB_FLOW_ROOM"
"""The variable that makes room for those of a process, as our last word does for its words. It is
the only one of ours that is named here, and not in `environment`."""
ROOM_BYTES = 2**14
_STANDARD = 5
"""The words, the status socket, the directory, stdout and stderr come with every request."""
_NOT_BEGUN = 127
_PR_GET_TID_ADDRESS = 40
_SYS_CLONE3 = 435
_CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x200000, 0x1000000
_CLONE_INTO_CGROUP = 0x200000000
_CLONE_ARGUMENTS = struct.Struct("11Q")


def fingerprint(path: str) -> str:
    """Return what changes when a file is written or replaced; empty if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    # Not the time of its inode, which changes when another environment links the same file.
    fields = (found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_size)
    return ":".join(map(str, (*fields, found.st_mtime_ns)))


def pack(argv: Sequence[bytes], environ: Mapping[bytes, bytes]) -> bytes:
    """Write the words and variables of a request; none of them can hold a NUL."""
    variables = [word for pair in environ.items() for word in pair]
    return b"\0".join([b"%d" % len(argv), *argv, *variables])


def unpack(packed: bytes) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Read what `pack` has written."""
    count, *words = packed.split(b"\0")
    variables = words[int(count) :]
    return words[: int(count)], dict(zip(variables[::2], variables[1::2], strict=True))


class Request(NamedTuple):
    """What a new process has been given.

    Attributes:
        status: The call's status socket.
        descriptors: The words, the directory, stdout, stderr and what the call holds.
        cgroup: The folder of the cgroup that the process has yet to enter.
    """

    status: socket.socket
    descriptors: list[int]
    cgroup: int | None


class Cloner:
    """Forks into a cgroup, where the system can (Linux 5.7).

    A process that enters a cgroup later waits until all processors have noticed, which takes longer
    than all else that we do for a call. Python cannot fork into one, so this makes the system call
    that the C library's own `fork` makes, with the same flags and the cgroup.
    """

    def __init__(self) -> None:
        """Find out where the C library keeps the number of a thread, which a fork renews."""
        self._tid_address: int | None = None
        self._survives: bool | None = None
        """Whether a process lives that is forked into a cgroup; None before that was tried."""
        with contextlib.suppress(ImportError, AttributeError):
            import ctypes

            self._ctypes = ctypes
            self._c = ctypes.PyDLL(None, use_errno=True)
            self._python = ctypes.pythonapi
            address = ctypes.c_uint64()
            if self._c.prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0) == 0:
                self._tid_address = address.value

    def fork_into(self, cgroup: int) -> int | None:
        """Do what `os.fork` does, into the cgroup with this folder; None if that is refused.

        Linux kills the new process at once if `cgroup.kill` was ever written there, or in our own
        cgroup. So the first one only tries that.
        """
        if self._survives is None:
            tried = self.fork(_CLONE_INTO_CGROUP, cgroup=cgroup)
            if tried == 0:
                os._exit(0)
            self._survives = tried is not None and os.waitpid(tried, 0)[1] == 0
        return self.fork(_CLONE_INTO_CGROUP, cgroup=cgroup) if self._survives else None

    def fork(self, flags: int, *, exit_signal: int = signal.SIGCHLD, cgroup: int = 0) -> int | None:
        """Do what `os.fork` does, with these flags of `clone3` too; None if that is refused."""
        if not self._tid_address:
            return None
        flags |= _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID
        packed = _CLONE_ARGUMENTS.pack(
            flags, 0, self._tid_address, 0, exit_signal, 0, 0, 0, 0, 0, cgroup
        )
        arguments = self._ctypes.create_string_buffer(packed, len(packed))
        self._python.PyOS_BeforeFork()
        pid = int(self._c.syscall(_SYS_CLONE3, arguments, self._ctypes.c_size_t(len(packed))))
        if pid == 0:
            self._python.PyOS_AfterFork_Child()
        else:
            self._python.PyOS_AfterFork_Parent()
        return None if pid < 0 else pid


class Child:
    """A process that was forked for a request, until it is reaped."""

    def __init__(self, pid: int, status: socket.socket) -> None:
        """Watch a process of ours."""
        self.pid = pid
        self.status = status
        self.pidfd = os.pidfd_open(pid)

    def reap(self) -> None:
        """Reap the process, and tell the client how it has ended."""
        _, status = os.waitpid(self.pid, 0)
        _tell(self.status, b"%s%d" % (EXITED, os.waitstatus_to_exitcode(status)))
        self.close()

    def is_asked_for(self) -> bool:
        """Obey the client, and tell whether there still is one."""
        if self.status.recv(1) != KILL:
            return False
        # Its number is its own as long as it is not reaped, and only we do that.
        os.killpg(self.pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        """Stop watching it."""
        self.status.close()
        os.close(self.pidfd)


class Server:
    """Waits for requests, and for the ends of the processes that it has forked."""

    def __init__(self, requests: socket.socket) -> None:
        """Serve the client at the other end of a socket."""
        self._requests = requests
        self._is_open = True
        self._poll = select.poll()
        self._poll.register(requests, select.POLLIN)
        self._ending: dict[int, Child] = {}
        self._asking: dict[int, Child] = {}
        self._cloner = Cloner()

    def serve(self) -> "Request | None":
        """Serve until the client has gone; in a new process, return its request instead."""
        while self._is_open or self._asking:
            for descriptor, event in self._poll.poll():
                if descriptor in self._ending:
                    self._reap(descriptor)
                elif descriptor in self._asking:
                    self._listen(descriptor)
                elif descriptor == self._requests.fileno():
                    request = self._accept(is_hung_up=bool(event & select.POLLHUP))
                    if request is not None:
                        return request
        return None

    def _accept(self, *, is_hung_up: bool) -> "Request | None":
        """Fork for the next request. If the client has gone, none of its requests runs."""
        kind, descriptors, flags = b"", list[int](), 0
        if not is_hung_up:
            kind, descriptors, flags, _ = socket.recv_fds(
                self._requests, 1, MOST_HELD + _STANDARD + 1, socket.MSG_CMSG_CLOEXEC
            )
        if not kind:
            self._poll.unregister(self._requests)
            self._requests.close()
            self._is_open = False
            return None
        if flags & socket.MSG_CTRUNC or len(descriptors) < _STANDARD:
            _close_all(descriptors)  # there were none left here; the client sees the end
            return None
        status = socket.socket(fileno=descriptors.pop(1))
        cgroup = descriptors.pop(_STANDARD - 1) if kind == WITH_CGROUP else None
        request = self._fork(Request(status, descriptors, cgroup))
        if request is None:
            _close_all(descriptors if cgroup is None else [*descriptors, cgroup])
        return request

    def _fork(self, request: Request) -> "Request | None":
        """Fork, and remember the new process; in it, return what is left of the request."""
        status, descriptors, cgroup = request
        pid = None if cgroup is None else self._cloner.fork_into(cgroup)
        is_inside = pid is not None
        try:
            pid = os.fork() if pid is None else pid
        except OSError:
            _tell(status, b"%s%d" % (EXITED, _NOT_BEGUN))
            status.close()
            return None
        if pid == 0:
            self._forget_others()
            if cgroup is not None and is_inside:
                os.close(cgroup)
            return Request(status, descriptors, None if is_inside else cgroup)
        child = Child(pid, status)
        self._ending[child.pidfd] = self._asking[status.fileno()] = child
        self._poll.register(child.pidfd, select.POLLIN)
        self._poll.register(status, select.POLLIN)
        return None

    def _listen(self, descriptor: int) -> None:
        child = self._asking[descriptor]
        if not child.is_asked_for():
            # It runs on, as a plain call does whose caller has died.
            self._poll.unregister(descriptor)
            del self._asking[descriptor]

    def _reap(self, pidfd: int) -> None:
        child = self._ending.pop(pidfd)
        self._poll.unregister(pidfd)
        if self._asking.pop(child.status.fileno(), None) is not None:
            self._poll.unregister(child.status)
        child.reap()

    def _forget_others(self) -> None:
        """Close, in a new process, what belongs to the server."""
        self._requests.close()
        for child in self._ending.values():
            child.close()


def _tell(status: socket.socket, message: bytes) -> None:
    with contextlib.suppress(OSError):  # the client has gone
        status.send(message, socket.MSG_DONTWAIT)


def show(words: Sequence[bytes], environ: Mapping[bytes, bytes] | None = None) -> None:
    """Let the system show other words and variables of this process than those of its start.

    It looks for them where it has put them, in the memory of the process. They identify a call
    whose runner has died. No variable of ours may be there any more.

    Raises:
        OSError: There is no room for them.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    word_start, word_end, variable_start, variable_end = map(int, fields[45:49])
    shown = [(words, word_start, word_end)]
    if environ is not None:
        variables = [b"%s=%s" % pair for pair in environ.items()]
        shown.append((variables, variable_start, variable_end))
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        for texts, start, end in shown:
            text = b"".join(b"%s\0" % one for one in texts)
            if len(text) > end - start:
                raise OSError(errno.E2BIG, "there is no room to show the words or variables")
            memory.seek(start)
            memory.write(text.ljust(end - start, b"\0"))


def _close_all(descriptors: list[int]) -> None:
    for number in descriptors:
        os.close(number)


def enter(cgroup: int) -> None:
    """Enter the cgroup with this folder or, as a plain call does, stay where we are."""
    with contextlib.suppress(OSError):
        procs = os.open("cgroup.procs", os.O_WRONLY, dir_fd=cgroup)
        os.write(procs, b"0")
        os.close(procs)
    os.close(cgroup)


def become(request: Request, python: Sequence[bytes], added: Mapping[bytes, bytes]) -> None:
    """Become the process of a call, and say that it has begun; `run` runs the script then.

    If the system refuses anything, nothing runs: a plain launch finds out what is wrong.
    """
    try:
        words, directory, stdout, stderr, *_ = request.descriptors
        os.setsid()
        if request.cgroup is not None:
            enter(request.cgroup)
        os.fchdir(directory)
        os.dup2(stdout, 1)
        os.dup2(stderr, 2)
        with open(words, "rb", closefd=False) as file:
            argv, environ = unpack(file.read())
        _close_all([words, directory, stdout, stderr])
        os.environb.clear()
        os.environb.update({**environ, **added})
        sys.argv[:] = [os.fsdecode(word) for word in argv]
        show([*python, *argv], environ)
        pidfd = os.pidfd_open(os.getpid())
        socket.send_fds(request.status, [b"%s%d" % (BEGUN, os.getpid())], [pidfd])
        os.close(pidfd)
        request.status.close()
    except BaseException:  # noqa: BLE001 - this fork must not go on as a second server
        os._exit(_NOT_BEGUN)


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


def prepare(module: str) -> list[str]:
    """Import a module, and return the files on which all that it imported depends.

    Raises:
        SystemExit: One of its package changed meanwhile.
    """
    name = module.partition(".")[0]
    package = importlib.util.find_spec(name)
    folders = () if package is None else package.submodule_search_locations or ()
    places = (place for folder in folders for place in os.walk(folder))
    own = [os.path.join(place, file) for place, _, files in places for file in files]
    before = {path: fingerprint(path) for path in own if path.endswith(".py")}
    importlib.import_module(module)
    if any(fingerprint(path) != known for path, known in before.items()):
        sys.exit(f"{module} was changed while it was being imported")
    library = os.path.dirname(os.__file__) + os.sep
    loaded = [getattr(one, "__file__", None) or library for one in list(sys.modules.values())]
    foreign = {path for path in loaded if not path.startswith(library) or "-packages" in path}
    versions = {
        os.path.join(folder, entry)
        for folder in filter(os.path.isdir, sys.path)
        for entry in os.listdir(folder)
        if entry.startswith(f"{name}-") and entry.endswith("-info")
    }
    # The interpreter by its own name, which may be a link that leads elsewhere one day.
    return sorted({*before, *foreign, *versions, os.__file__, sys.executable} - {__file__})


def added_variables() -> dict[bytes, bytes]:
    """Return what Python itself has put into the environment at its start (PEP 538)."""
    with open("/proc/self/environ", "rb") as file:
        given = dict(word.split(b"=", 1) for word in file.read().split(b"\0") if b"=" in word)
    return {name: text for name, text in os.environb.items() if given.get(name) != text}


def load(script: str) -> CodeType:
    """Return the code of the script, whose name this process gets, and whose place for modules."""
    with open("/proc/self/comm", "wb") as file:  # what the system calls a process that it runs
        file.write(os.fsencode(os.path.basename(script)))
    if not sys.flags.safe_path:  # what is beside us is not beside the script
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    with open(script, "rb") as file:
        return compile(file.read(), script, "exec", dont_inherit=True)


def main() -> None:
    """Import, say that all is ready, and serve."""
    descriptor, script, module, _ = sys.argv[1:]
    words = [os.fsencode(word) for word in sys.orig_argv[:-1]]
    python = words[: -len(sys.argv[:-1])]
    seen = fingerprint(script)
    code = load(script)
    added = added_variables()
    show(words)
    requests = socket.socket(fileno=int(descriptor))
    requests.set_inheritable(False)
    watched = {script: seen, **{path: fingerprint(path) for path in prepare(module)}}
    os.close(os.pidfd_open(os.getpid()))  # there is nothing without it
    gc.collect()
    gc.freeze()
    requests.send(READY + b"\0".join(os.fsencode(f"{p}\0{f}") for p, f in watched.items()))
    request = Server(requests).serve()
    if request is not None:
        become(request, python, added)
        run(script, code)


if __name__ == "__main__":
    main()
