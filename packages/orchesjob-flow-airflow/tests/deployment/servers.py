"""PostgreSQL and Redis from the distribution's packages, as throwaway servers."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

READY_SEC = 30.0
END_SEC = 30.0
LOOK_SEC = 0.1


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """Run a PostgreSQL that only the socket in `folder` leads to, and yield SQLAlchemy's URL.

    It refuses to be root's: then the folder and its processes are those of its package's user.
    """
    found = _find("postgres", "postgresql", *Path("/usr/lib/postgresql").glob("*/bin"))
    postgres = Path(found).resolve()
    identity: dict[str, Any] = {}
    folder.mkdir()
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
        identity = {"user": "postgres", "group": "postgres", "extra_groups": ()}
    data = str(folder / "data")
    subprocess.run(
        [
            str(postgres.with_name("initdb")),
            *("--pgdata", data, "--username", "airflow", "--auth", "trust"),
            *("--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        cwd=folder,
        check=True,
        stdout=subprocess.DEVNULL,
        **identity,
    )
    command = [
        str(postgres),
        *("-D", data, "-k", str(folder), "-c", "listen_addresses=", "-c", "fsync=off"),
    ]
    ready = [str(postgres.with_name("pg_isready")), "-h", str(folder)]
    with _running(command, ready, folder, signal.SIGINT, identity):
        yield f"postgresql+psycopg2://airflow@/postgres?host={folder}"


@contextmanager
def redis(folder: Path, port: int) -> Iterator[str]:
    """Run a Redis on a port of loopback, which writes nothing, and yield its URL."""
    server = _find("redis-server", "redis-server")
    folder.mkdir()
    command = [server, "--bind", "127.0.0.1", "--port", str(port), "--save", ""]
    ready = [_find("redis-cli", "redis-server"), "-p", str(port), "ping"]
    with _running(command, ready, folder, signal.SIGTERM, {}):
        yield f"redis://127.0.0.1:{port}/0"


@contextmanager
def _running(
    command: list[str],
    ready: list[str],
    folder: Path,
    ending: signal.Signals,
    identity: Mapping[str, Any],
) -> Iterator[None]:
    """Run a server until it is no longer needed; `ready` tells by its exit code that it answers."""
    path = folder / "server.log"
    with path.open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **identity,
        )
    try:
        deadline = time.monotonic() + READY_SEC
        while subprocess.run(ready, check=False, capture_output=True).returncode != 0:
            words = path.read_text(encoding="utf-8", errors="replace")
            assert server.poll() is None, words
            assert time.monotonic() < deadline, words
            time.sleep(LOOK_SEC)  # a server announces to nobody that it is ready
        yield
    finally:
        server.send_signal(ending)
        server.wait(END_SEC)


def _find(program: str, package: str, *folders: Path) -> str:
    """Find a program, also where a distribution keeps it off the PATH."""
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), *map(str, folders)])
    found = shutil.which(program, path=path)
    if found is None:
        pytest.fail(f"there is no {program} here: install the distribution's package {package}")
    return found
