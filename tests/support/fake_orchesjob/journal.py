# ruff: noqa: PTH109, PTH118 - importing pathlib takes as long as half a call
"""Two files that say what happened, so that a test can assert "ran exactly once"."""

import json
import os
import time


def write_call(home: str, call: str, key: str | None, argv: list[str]) -> None:
    entry = {"call": call, "key": key, "argv": argv, "cwd": _cwd(), "pid": os.getpid()}
    _append(home, "calls.jsonl", {**entry, "time": time.time()})


def write_execution(
    home: str, event: str, key: str, argv: list[str], pid: int, **more: int
) -> None:
    entry = {"event": event, "key": key, "argv": argv, "cwd": _cwd(), "pid": pid}
    _append(home, "executions.jsonl", {**entry, "monotonic": time.monotonic(), **more})


def _append(home: str, name: str, entry: dict[str, object]) -> None:
    """Write one line with one write(2): appends of several processes do not mix."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    descriptor = os.open(os.path.join(home, name), flags, 0o600)
    os.write(descriptor, json.dumps(entry).encode() + b"\n")
    os.close(descriptor)


def _cwd() -> str | None:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return None
