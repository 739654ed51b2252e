"""Reading a flow file again and again, as Airflow's DAG processor does, in ever new processes.

Checking YAML takes several times as long as making tasks of it. So the stored form of what has been
read is kept in Airflow's home, where it serves as long as the file is the same to the byte.
"""

import contextlib
import hashlib
import importlib.metadata
import os
from pathlib import Path

from flow_spec import FlowSpec, StoredFlowError, load_flow

_FOLDER = "orchesjob-flow"


def read_flow(path: str) -> FlowSpec:
    """Return the flow in a file, which has been checked now or when it was kept.

    Raises:
        FlowFileError: As `load_flow`, each time.
    """
    digest = _digest(path)
    place = _place(path)
    flow = _kept(place, digest)
    if flow is None:
        flow = load_flow(path)
        if digest is not None and digest == _digest(path):
            _keep(place, digest, flow)
    return flow


def _digest(path: str) -> str | None:
    """Name what a file holds, and who reads it: another version may mean something else by it."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError):
        return None  # `load_flow` finds the words
    reader = f"{importlib.metadata.version('flow-spec')} {Path(path).suffix}\n"
    return hashlib.sha256(reader.encode() + content).hexdigest()


def _place(path: str) -> Path:
    """Name where a file's flow is kept: one place for all versions that a bundle of DAGs has."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    name = os.fsencode("/".join(Path(path).parts[-2:]))
    return home / _FOLDER / f"{hashlib.sha256(name).hexdigest()[:32]}.json"


def _kept(place: Path, digest: str | None) -> FlowSpec | None:
    with contextlib.suppress(OSError, ValueError, StoredFlowError):
        said, _, text = place.read_text(encoding="utf-8").partition("\n")
        if said == digest:
            return FlowSpec.from_json(text)
    return None


def _keep(place: Path, digest: str, flow: FlowSpec) -> None:
    """Keep a flow, whole or not at all; a home that cannot be written to only costs time."""
    temporary = place.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        place.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{digest}\n{flow.to_json()}")
        temporary.replace(place)
