"""The DAG file that calls a function of ours, in whose folder relative paths begin."""

import os
import sys
from typing import NamedTuple


class DagFile(NamedTuple):
    """A DAG file and its folder: both are text, as Airflow keeps them."""

    path: str
    folder: str

    def resolve(self, path: str | os.PathLike[str]) -> str:
        """Return where a path leads that the file names."""
        return os.path.join(self.folder, path)  # noqa: PTH118


def calling_dag_file() -> DagFile:
    """Return the file that has called the function which calls this one."""
    path = os.path.abspath(sys._getframe(2).f_code.co_filename)  # noqa: PTH100 - as Airflow
    return DagFile(path, os.path.dirname(path))  # noqa: PTH120
