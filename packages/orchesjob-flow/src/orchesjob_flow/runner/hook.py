"""The hook `run-finished` of the flow home, which is called for each run that ends (rule 12.5).

That it is due is recorded with the end of the run. Whoever ended the run calls it; after a kill,
`resume --all` does. A lock of its own keeps two processes from calling it at once.
"""

import os
import signal
import threading
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from subprocess import PIPE, STDOUT, Popen, TimeoutExpired
from typing import IO, Any

from flow_spec import StepVariable
from flow_store import FlowStore, Run
from orchesjob_client import find_exposure, unmarked
from orchesjob_flow.errors import FlowError
from orchesjob_flow.home import (
    FLOW_HOME,
    Lock,
    RunHandle,
    Settings,
    Snapshot,
    open_owned,
    open_store,
    patiently,
    read_store,
)
from orchesjob_flow.views.results import run_json
from orchesjob_flow.views.terminal import dump_json, status_line, warn

STATUS, ERROR = "ORCHESJOB_FLOW_STATUS", "ORCHESJOB_FLOW_ERROR"
"""The variables that only the hook and its descendants have."""
GAVE_UP = "GAVE_UP"
HOOK_SEC = 60.0
LEFT_OPEN_SEC = 0.5
"""How long output is awaited that a process of the hook has left open."""
KEPT_BYTES = 64 * 1024
LONGEST_ERROR = 4096


type Called = tuple[str | None, bytes]
"""Why a call has failed, if it has, and its first output."""


def is_wanted(settings: Settings, run: Run) -> bool:
    """Tell whether the hook is for a run: not an inner run, nor one that a hook has started."""
    has_hook = os.path.lexists(settings.home.hook)
    return has_hook and run.parent is None and STATUS not in settings.environ


def call_due(handle: RunHandle, store: FlowStore) -> None:
    """Call the hook if it is due for a run and nobody is calling it; no error is raised."""
    try:
        if (lock := Lock.take(handle.hook_lock_path)) is not None:
            with closing(lock):
                while (run := store.load(handle.run_key)) and (status := status_due(run)):
                    call_and_record(handle, store, run, status)
    except Exception as error:  # noqa: BLE001 - the run has ended, whatever becomes of its hook
        warn(f"{handle.settings.home.hook} was not called for run {handle.run_key!r}: {error}")


def call_all_due(settings: Settings) -> None:
    """Call the hook for each run whose process was killed before it did."""
    if read_store(settings, FlowStore.hooks):
        with open_store(settings) as store:
            for run_key, hook in store.hooks().items():
                if hook.error is None:
                    call_due(RunHandle(run_key, settings), store)


def status_due(run: Run) -> str | None:
    """Return the status that the hook is still to be told; None if there is none."""
    if run.hook is None or run.hook.error is not None:
        return None
    return run.status.value if run.status.is_terminal else run.gave_up and GAVE_UP


def call_and_record(handle: RunHandle, store: FlowStore, run: Run, status: str) -> None:
    """Call the hook for a run, log what it printed, and record whether it failed."""
    settings, error = handle.settings, None
    if os.path.lexists(settings.home.hook):  # else it was removed, and nobody is to be told
        error, output = call(settings, {**run_json(Snapshot(run, None)), "status": status})
        with suppress(OSError, FlowError):  # on a full disk the call counts too
            log = open_owned(handle.log("stderr"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            with os.fdopen(log, "ab") as file:
                file.write(f"{settings.home.hook}: {error or 'succeeded'}\n".encode() + output)
    assert run.hook is not None  # noqa: S101 - it is due
    patiently(settings, partial(store.record_hook_called, run.run_key, run.hook, error))


def call(settings: Settings, described: Mapping[str, Any]) -> Called:
    """Call the hook with a run, and wait until it has ended or its time is over."""
    program = settings.home.hook
    if (flaw := flaw_of(program)) is not None:
        return flaw, b""
    error = described["error"] or (described.get("gave_up") or {}).get("error") or ""
    environ = {
        **unmarked(settings.environ),
        FLOW_HOME: str(settings.home.database.parent),
        StepVariable.RUN_KEY: described["run_key"],
        StepVariable.ID: described["flow_id"],
        STATUS: described["status"],
        ERROR: error[:LONGEST_ERROR],
    }
    pipes: dict[str, Any] = {"stdin": PIPE, "stdout": PIPE, "stderr": STDOUT}
    try:
        process = Popen([program], **pipes, cwd=program.parent, env=environ, start_new_session=True)
    except OSError as failure:
        return f"cannot be started: {failure.strerror}", b""
    output = bytearray()
    try:
        text = dump_json(described, indent=None).encode(errors="surrogateescape")
        threading.Thread(target=feed, args=(process.stdin, text), daemon=True).start()
        reader = threading.Thread(target=keep, args=(process.stdout, output), daemon=True)
        reader.start()
        with status_line() as say:
            say(f"waiting for hooks/{program.name}, at most {HOOK_SEC:.0f} s")
            code = process.wait(HOOK_SEC)
    except TimeoutExpired:
        return f"did not end within {HOOK_SEC:.0f} s", bytes(output)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    reader.join(LEFT_OPEN_SEC)
    last = bytes(output).decode(errors="replace").strip().rpartition("\n")[2][:200]
    ended = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
    return None if code == 0 else f"{ended}: {last}".removesuffix(": "), bytes(output)


def feed(stdin: IO[bytes], text: bytes) -> None:
    """Write to a process, which may not want to read."""
    with suppress(OSError), stdin:
        stdin.write(text)


def keep(stdout: IO[bytes], output: bytearray) -> None:
    """Read what a process prints, and keep the first part of it."""
    while piece := os.read(stdout.fileno(), KEPT_BYTES):
        output += piece[: KEPT_BYTES - len(output)]


def flaw_of(program: Path) -> str | None:
    """Return why the hook is not called, and what repairs it; None if it may be called."""
    if (found := find_exposure(str(program.parent), [program.name])) is not None:
        return f"{found.path} {found.problem}; {found.remedy(FLOW_HOME)}"
    if not program.is_file():
        return f"{program} is not a file"
    return None if os.access(program, os.X_OK) else f"{program} is not executable (chmod u+x)"
