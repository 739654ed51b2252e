"""Takes the sibling packages of an installation from its checkout, never from an index.

Hatchling reads this file beside the `pyproject.toml` of each package that has siblings. The
copies are equal, as a test checks: a package is also built from its sdist, which has only its own.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.utils.fs import path_to_uri


class SiblingsHook(BuildHookInterface[Any]):
    """Names the folders of the siblings instead of versions in a wheel that is built beside them.

    So `pip install packages/orchesjob-flow` installs all it needs from this checkout. A wheel that
    is built from an sdist names versions, as an index demands. So does an editable one: pip takes
    `-e packages/flow-spec` and a reference to the same folder for two different packages.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Change what the wheel will require; `version` is its kind."""
        if version != "editable":
            core = self.metadata.core
            names = [dependency.name for dependency in core.dependencies_complex.values()]
            # A version beside a folder would be looked up on the index first.
            core.dependencies[:] = map(self._from_checkout, names, core.dependencies)

    def _from_checkout(self, name: str, line: str) -> str:
        # Beside an unpacked sdist there may be anything, and only a checkout has this file.
        packages = Path(self.root).parent
        is_checkout = (packages.parent / "noxfile.py").exists()
        is_sibling = is_checkout and (packages / name / "pyproject.toml").exists()
        return f"{name} @ {path_to_uri(str(packages / name))}" if is_sibling else line
