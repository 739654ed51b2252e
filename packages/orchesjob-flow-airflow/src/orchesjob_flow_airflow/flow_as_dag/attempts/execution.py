"""What an attempt at a step executes: a command, where it runs, and with which variables.

Only what a flow says is here; the files that it names are read on the worker (rule 10.4).
"""

import os
from collections.abc import Mapping
from typing import NamedTuple, Self

from flow_spec import EnvFile, FlowSpec, StepSpec, read_env_files


class Execution(NamedTuple):
    """A command, and all that it needs to run."""

    command: tuple[str, ...]
    folder: str
    """Where relative paths start."""
    working_dir: str
    variables: Mapping[str, str]
    """Those of the process, but for those of `env_files`."""
    env_files: tuple[EnvFile, ...]
    start_timeout_sec: float | None

    @classmethod
    def of(
        cls,
        flow: FlowSpec,
        step: StepSpec,
        *,
        is_gate: bool,
        folder: str,
        variables: Mapping[str, str],
    ) -> Self:
        """Return what the command of a step needs to run, or its gate: both get the same (10.8)."""
        return cls(
            command=step.command_of(is_gate=is_gate),
            folder=folder,
            working_dir=step.working_dir or flow.working_dir or "",
            variables=variables,
            env_files=flow.env_files_of(step),
            start_timeout_sec=step.start_timeout_sec,
        )

    @property
    def directory(self) -> str:
        """Where the command runs."""
        return os.path.join(self.folder, self.working_dir)  # noqa: PTH118 - text, as given

    def environ(self) -> dict[str, str]:
        """Return the environment of the process; the files are read now.

        Raises:
            EnvFileError: One of them is missing or wrong; says where, not what.
        """
        from_files = read_env_files(self.env_files, self.folder)
        return {**self.variables, **from_files}
