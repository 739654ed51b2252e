"""What a step `produces`: whether its command has written those files (rule 10.10).

No clock decides that. Inode, size and change time of each file are noted before the command starts,
and afterwards at least one of them differs. So a copy counts that keeps an old time.

A path holds patterns, in which `*`, `?` and `**` have their meaning; a value that was filled in is
quoted by brackets (`quoted_in_pattern`), and a bracket of the file's own means itself.
"""

import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from flow_spec.documents.source import names_matching, quoted_in_pattern
from flow_spec.errors import ListError, printable
from flow_spec.fields.records import ProducedFile, path_of

type Product = str | ProducedFile

MOST_FILES = 10_000
"""How many files are noted for a step."""

_QUOTED = re.compile(r"\[([*?[])\]")
_BRACKET = re.compile(r"\[[*?[]\]|\[")


class _File(NamedTuple):
    """A file, as a name below the working directory; `state` differs once it is written."""

    name: str
    state: list[int]
    size: int
    modified_at: float


def note_files(products: Sequence[Product], directory: str) -> str:
    """Return the states of the files that are there now, as JSON for `unwritten`.

    `directory` is where relative paths start.

    Raises:
        ListError: There are too many.
    """
    noted: dict[str, list[int]] = {}
    for product in products:
        for file in _files(path_of(product), directory):
            noted[file.name] = file.state
            if len(noted) > MOST_FILES:
                raise ListError(
                    f"{shown_product(product)} in produces: matches more than {MOST_FILES:,} files "
                    "already; name fewer, such as one that is written last"
                )
    return json.dumps(noted, separators=(",", ":"))


def unwritten(products: Sequence[Product], directory: str, noted: str) -> str | None:
    """Say which files were not written since `note_files` returned `noted`; None if all were.

    Raises:
        ListError: A pattern lists too many folders.
    """
    before = json.loads(noted)
    found = (_flaw(product, directory, before) for product in products)
    flaws = [flaw for flaw in found if flaw is not None]
    more = f", and {len(flaws) - 1} more of its files" if len(flaws) > 1 else ""
    return f"has not written {flaws[0]}{more}" if flaws else None


def shown_product(product: Product) -> str:
    """Return a path as the file spells it, with its values."""
    return printable(_QUOTED.sub(r"\1", path_of(product)))


def _flaw(product: Product, directory: str, before: dict[str, list[int]]) -> str | None:
    may_be_empty = isinstance(product, ProducedFile) and product.empty
    shown, empty, latest = shown_product(product), None, None
    for file in _files(path_of(product), directory):
        if before.get(file.name) == file.state:
            latest = max(latest or file, file, key=lambda one: one.modified_at)
        elif file.size or may_be_empty:
            return None
        else:
            empty = file
    if (last := empty or latest) is None:
        return f"{shown}: there is no such file"
    which = "which" if printable(last.name) == shown else f"where {printable(last.name)}"
    if empty is not None:
        return f"{shown}, {which} is empty"
    when = datetime.fromtimestamp(last.modified_at).astimezone().isoformat(" ", "minutes")[:16]
    return f"{shown}, {which} is from {when}"


def _files(path: str, directory: str) -> Iterator[_File]:
    """Yield the files that a path means: itself, those below a folder, or those that match."""
    pattern = _BRACKET.sub(lambda found: found[0] if len(found[0]) > 1 else "[[]", path)
    plain = _QUOTED.sub(r"\1", path)
    link: list[int] = []
    if re.search(r"[*?]", _QUOTED.sub("", path)):
        names = names_matching(pattern, directory)
    elif os.path.isdir(os.path.join(directory, plain)):  # noqa: PTH112, PTH118 - text, as given
        names = names_matching(f"{quoted_in_pattern(plain).rstrip('/')}/**", directory)
        link = _state(os.lstat(os.path.join(directory, plain.rstrip("/"))), of_link=True)  # noqa: PTH118
    else:
        names = iter((plain,))
    for name in names:
        try:
            own = os.lstat(os.path.join(directory, name))  # noqa: PTH118
            file = os.stat(os.path.join(directory, name))  # noqa: PTH116, PTH118
        except OSError:
            continue
        if not stat.S_ISDIR(file.st_mode):
            state = [*link, *_state(own, of_link=True), *_state(file)]
            yield _File(name, state, file.st_size, file.st_mtime)


def _state(found: os.stat_result, *, of_link: bool = False) -> list[int]:
    """Return what differs once a file was written; with `of_link`, nothing unless it is a link."""
    if of_link and not stat.S_ISLNK(found.st_mode):
        return []
    return [found.st_ino, found.st_size, found.st_ctime_ns]
