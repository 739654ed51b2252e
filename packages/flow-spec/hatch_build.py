"""Binds the sibling packages of an installation to its checkout, or to its own version.

Hatchling reads this file beside the `pyproject.toml` of each package that has siblings. The
copies are equal, as a test checks: a package is also built from its sdist, which has only its own.
"""

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.utils.fs import path_to_uri

SIBLINGS = ("flow-conditions", "flow-spec", "flow-store", "orchesjob-client")


class SiblingsHook(BuildHookInterface[Any]):
    """Says of the siblings, which `pyproject.toml` only names, where they come from.

    A wheel that is built in a checkout names their folders. So an installation of
    `packages/orchesjob-flow` takes all it needs from there. An sdist, and a wheel that is built
    from one, name the version, which is that of the package itself, as an index demands. So does
    an editable wheel: pip takes `-e packages/flow-spec` and a reference to the same folder for two
    different packages.
    """

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Name folders or versions; `version` is the kind of a wheel."""
        packages = Path(self.root).parent
        # Beside an unpacked sdist there may be anything, and only a checkout has this file.
        is_checkout = (packages.parent / "noxfile.py").exists()
        from_checkout = is_checkout and self.target_name == "wheel" and version != "editable"
        dependencies = self.metadata.core.dependencies
        for place, name in enumerate(dependencies):
            if name in SIBLINGS and from_checkout:
                dependencies[place] = f"{name} @ {path_to_uri(str(packages / name))}"
            elif name in SIBLINGS:
                dependencies[place] = f"{name}=={self.metadata.version}"
