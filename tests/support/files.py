"""What is in a folder, to see whether anything was written, and programs that tests write."""

from pathlib import Path


def contents(*folders: Path) -> dict[Path, tuple[int, bytes]]:
    """Return all files with the times at which they were written.

    SQLite's index of who reads a database is left out: a reader writes it.
    """
    paths = [path for folder in folders for path in folder.rglob("*")]
    kept = [path for path in paths if path.is_file() and not path.name.endswith("-shm")]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in kept}


def write_program(path: Path, text: str) -> str:
    """Write a program in one move, since it may be started meanwhile, and return its path."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(text, encoding="utf-8")
    new.chmod(0o755)
    new.replace(path)
    return str(path)
