"""The fork server: it has imported what a console script imports, and forks for each call of it.

It is run by path in orchesjob's Python (3.12 or later), which may not have this package. So all of
it is in this file. It has one thread. Each request is one message of words and variables, with the
descriptors of the call: its status socket, stdout, stderr, its directory, perhaps a cgroup, and
what the call holds while it lives. One reply comes back along the status socket, the exit code or
-N for signal N. The new process keeps that socket open: if it closes without a reply, both the
process and the server have ended. A byte that the client sends there has the process group killed.
"""

import ast
import contextlib
import os
import select
import signal
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

MOST_HELD = 200
"""How many descriptors a call may hold; Linux passes up to 253 with a message."""
LONGEST_MESSAGE = 2**17
"""Bytes; Linux lets a message have somewhat more."""
ROOM_BYTES = 2**14
"""The length of the last argument, where a process shows the words of its call."""
KILL = b"K"
READY = b"R"
_STANDARD = 4


def pack(argv: Sequence[bytes], environ: Mapping[bytes, bytes], *, has_cgroup: bool) -> bytes:
    """Write the words and variables of a request.

    Raises:
        ValueError: One of them holds a NUL.
    """
    variables = [word for pair in environ.items() for word in pair]
    fields = [b"%d" % has_cgroup, b"%d" % len(argv), *argv, *variables]
    packed = b"\0".join(fields)
    if packed.count(b"\0") != len(fields) - 1:
        raise ValueError("a word or variable holds a NUL")
    return packed


class Request(NamedTuple):
    """What a new process has to become: a packed message, and its descriptors."""

    message: bytes
    descriptors: list[int]

    def unpack(self) -> tuple[bool, list[bytes], dict[bytes, bytes]]:
        """Return whether there is a cgroup, the words and the variables."""
        has_cgroup, count, *words = self.message.split(b"\0")
        size = int(count)
        variables = dict(zip(words[size::2], words[size + 1 :: 2], strict=True))
        return bool(int(has_cgroup)), words[:size], variables


class Child(NamedTuple):
    """A process that was forked for a request, until it is reaped."""

    pid: int
    pidfd: int
    status: socket.socket

    def reap(self) -> None:
        """Reap the process, and tell the client how it has ended."""
        code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        with contextlib.suppress(OSError):  # the client has gone
            self.status.send(b"%d" % code, socket.MSG_DONTWAIT)
        self.close()

    def close(self) -> None:
        """Close what belongs to the server."""
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
        self._by_pidfd: dict[int, Child] = {}
        self._by_status: dict[int, Child] = {}

    def serve(self) -> Request | None:
        """Serve until the client has gone; in a new process, return its request instead."""
        while self._is_open or self._by_pidfd:
            for descriptor, event in self._poll.poll():
                if descriptor in self._by_pidfd:
                    self._reap(descriptor)
                elif descriptor in self._by_status:
                    self._listen(descriptor)
                elif descriptor == self._requests.fileno():
                    request = self._receive(has_gone=bool(event & select.POLLHUP))
                    if request is not None and self._fork(request.descriptors):
                        return request
        return None

    def _receive(self, *, has_gone: bool) -> Request | None:
        """Return the next request. Once the client has gone, none of its requests begins."""
        message, descriptors, flags = b"", list[int](), 0
        if not has_gone:
            message, descriptors, flags, _ = socket.recv_fds(
                self._requests, LONGEST_MESSAGE, _STANDARD + 1 + MOST_HELD, socket.MSG_CMSG_CLOEXEC
            )
        if not message:
            self._poll.unregister(self._requests)
            self._requests.close()
            self._is_open = False
        elif not flags & socket.MSG_CTRUNC:  # else there was no number left for a descriptor
            return Request(message, descriptors)
        _close_all(descriptors)
        return None

    def _fork(self, descriptors: Sequence[int]) -> bool:
        """Fork, and tell whether this is the new process."""
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            self._requests.close()
            for other in self._by_pidfd.values():
                other.close()
            return True
        status = socket.socket(fileno=descriptors[0])
        _close_all(descriptors[1:])
        if pid == -1:
            status.close()
            return False
        child = Child(pid, os.pidfd_open(pid), status)
        self._by_pidfd[child.pidfd] = self._by_status[status.fileno()] = child
        self._poll.register(child.pidfd, select.POLLIN)
        self._poll.register(status, select.POLLIN)
        return False

    def _listen(self, descriptor: int) -> None:
        child = self._by_status[descriptor]
        if child.status.recv(1):
            # Its number is its own as long as it is not reaped, and only we do that.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
        else:  # The client has gone. The call goes on, as a plain one does.
            self._poll.unregister(descriptor)
            del self._by_status[descriptor]

    def _reap(self, pidfd: int) -> None:
        child = self._by_pidfd.pop(pidfd)
        self._poll.unregister(pidfd)
        if self._by_status.pop(child.status.fileno(), None) is not None:
            self._poll.unregister(child.status)
        child.reap()


def _close_all(descriptors: Iterable[int]) -> None:
    for number in descriptors:
        os.close(number)


def become(request: Request) -> None:
    """Become the process of a call, but for the script itself."""
    has_cgroup, argv, environ = request.unpack()
    _, stdout, stderr, directory, *others = request.descriptors
    os.setsid()
    if has_cgroup:
        _enter(others[0])
    os.fchdir(directory)
    os.dup2(stdout, 1)
    os.dup2(stderr, 2)
    cgroup = others[:has_cgroup]
    _close_all([stdout, stderr, directory, *cgroup])
    os.environb.clear()
    os.environb.update(environ)
    python = map(os.fsencode, sys.orig_argv[: -len(sys.argv)])
    sys.argv[:] = map(os.fsdecode, argv)
    with contextlib.suppress(OSError):
        show([*python, *argv])


def _enter(cgroup: int) -> None:
    """Enter the cgroup with this folder or, as a plain call does, stay where we are."""
    with contextlib.suppress(OSError):
        os.write(os.open("cgroup.procs", os.O_WRONLY | os.O_CLOEXEC, dir_fd=cgroup), b"0")


def show(words: Sequence[bytes]) -> None:
    """Let the system show these words as those of this process.

    They identify a call whose runner has died. The system looks where it has put the words of the
    server, in the memory of the process.

    Raises:
        OSError: The system does not allow it.
    """
    with open("/proc/self/stat", "rb") as file:
        fields = file.read().rpartition(b")")[2].split()
    start, end = map(int, fields[45:47])
    text = b"".join(b"%s\0" % word for word in words)[: end - start - 1]
    with open("/proc/self/mem", "r+b", buffering=0) as memory:
        memory.seek(start)
        memory.write(text.ljust(end - start, b"\0"))


def import_for(tree: ast.Module) -> None:
    """Import what a console script imports.

    Raises:
        SystemExit: The script does something else before its `if __name__ == "__main__":`.
    """
    imports: list[ast.stmt] = [
        node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    if not isinstance(tree.body[-1], ast.If) or len(imports) != len(tree.body) - 1:
        sys.exit("not a plain console script")
    exec(compile(ast.Module(imports, []), "", "exec"), {})  # noqa: S102 - the script's own lines


def main() -> None:
    """Import, say that all is ready, and serve; in each new process, run the script."""
    descriptor, script, _ = sys.argv[1:]
    requests = socket.socket(fileno=int(descriptor))
    requests.set_inheritable(False)
    if not sys.flags.safe_path:  # what is beside this file is not beside the script
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    with open(script, "rb") as file:
        tree = ast.parse(file.read(), script)
    import_for(tree)
    code = compile(tree, script, "exec", dont_inherit=True)
    requests.send(READY)
    request = Server(requests).serve()
    if request is not None:
        become(request)
        exec(code, {"__name__": "__main__", "__file__": script})  # noqa: S102 - the script itself


if __name__ == "__main__":
    main()
