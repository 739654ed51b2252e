"""Finding the orchesjob executable.

Nothing is run here.
"""

import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from orchesjob_client.errors import OrchesjobMissing

_NAME = "orchesjob"
_BESIDE = Path(sys.executable).parent


def locate(explicit: str | None, environ: Mapping[str, str], *, beside: Path = _BESIDE) -> str:
    """Return the absolute path of the orchesjob to use (rule 6.2).

    It is `explicit` if given, else `ORCHESJOB_BIN`, else `orchesjob` on `PATH`, else the one in the
    folder `beside`, which is that of this Python. One that is named must exist: no other is taken
    instead. A name without a folder is looked up on `PATH`.

    Raises:
        OrchesjobMissing: None is found, or the one that is named cannot be executed.
    """
    search_path = environ.get("PATH", os.defpath)
    for origin, named in (
        ("as asked for", explicit),
        ("from ORCHESJOB_BIN", environ.get("ORCHESJOB_BIN")),
    ):
        if named:
            return _executable(shutil.which(named, path=search_path), named, origin)
    found = shutil.which(_NAME, path=search_path) or shutil.which(str(beside / _NAME))
    return _executable(found, _NAME, f"neither on PATH nor in {beside}")


def _executable(found: str | None, name: str, origin: str) -> str:
    if found is None:
        raise OrchesjobMissing(_NAME, f"{name} ({origin}) is not an executable file", name)
    return os.path.abspath(found)  # noqa: PTH100 - text, and `..` after a link stays as it is
