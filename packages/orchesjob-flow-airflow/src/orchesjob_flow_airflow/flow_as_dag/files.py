"""Reading the flow file of a DAG.

Airflow's DAG processor reads each DAG file again and again, each time in a new process. Checking
YAML takes several times as long as making tasks of it, so a checked flow is cached in Airflow's
home. The cache is used while the file does not change by a byte and its lists have the same values.
"""

import contextlib
import hashlib
import importlib.metadata
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from flow_spec import (
    FlowSpec,
    ListError,
    ListReader,
    StoredFlowError,
    load_flow,
    read_list,
)

_FOLDER = "orchesjob-flow"


def read_flow_file(path: str, folder: str) -> FlowSpec:
    """Return the flow in a file, from the cache if nothing has changed.

    The relative paths of its lists start at `folder` (rule 10.3). A file that cannot be read or is
    not a valid flow is a `FlowFileError`, and is not cached.
    """

    def reader(origin: str, text: str, params: Mapping[str, str]) -> Sequence[str]:
        return read_list(origin, text, {**params, "FLOW_DIR": os.path.dirname(path)}, folder)  # noqa: PTH120

    digest, entry = _digest(path), _entry(path)
    flow = _cached(entry, digest)
    if flow is None or not _has_its_lists(flow, reader):
        flow = load_flow(path, read_list=reader)
        if digest is not None and digest == _digest(path):
            _cache(entry, digest, flow)
    return flow


def _has_its_lists(flow: FlowSpec, reader: ListReader) -> bool:
    with contextlib.suppress(ListError):
        return all(
            tuple(reader(origin, text, flow.default_values)) == values
            for (origin, text), values in flow.lists.items()
        )
    return False


def _digest(path: str) -> str | None:
    """Digest a file's bytes and the version of their reader: another may read them differently."""
    try:
        content = Path(path).read_bytes()
    except (OSError, ValueError):
        return None  # `load_flow` reports the error
    reader = f"{importlib.metadata.version('flow-spec')} {Path(path).suffix}\n"
    return hashlib.sha256(reader.encode() + content).hexdigest()


def _entry(path: str) -> Path:
    """Return the cache file of a flow file: one for all versions of a bundle of DAGs."""
    home = Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser()
    name = os.fsencode("/".join(Path(path).parts[-2:]))
    return home / _FOLDER / f"{hashlib.sha256(name).hexdigest()[:32]}.json"


def _cached(entry: Path, digest: str | None) -> FlowSpec | None:
    with contextlib.suppress(OSError, ValueError, StoredFlowError):
        cached_digest, _, text = entry.read_text(encoding="utf-8").partition("\n")
        if cached_digest == digest:
            return FlowSpec.from_json(text)
    return None


def _cache(entry: Path, digest: str, flow: FlowSpec) -> None:
    """Write a flow, whole or not at all; a home that cannot be written to only costs time."""
    temporary = entry.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        entry.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(f"{digest}\n{flow.to_json()}")
        temporary.replace(entry)
