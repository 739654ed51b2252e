"""The errors of this package.

An error that Airflow is to act upon (fail, retry or skip a task) is one of Airflow's own. The tasks
raise it; what they call raises the errors here.
"""


class OrchesjobFlowAirflowError(Exception):
    """The base of every error that this package raises by itself."""


class DagIdRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow's id cannot be the id of a DAG.

    Attributes:
        flow_id: The flow's id.
    """

    def __init__(self, flow_id: str) -> None:
        """Name the flow."""
        super().__init__(flow_id)
        self.flow_id = flow_id

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return f"the flow's id {self.flow_id!r} cannot name a DAG; give flow_dag a dag_id"


class FieldRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow has a field that a DAG with a task for each step cannot obey.

    Attributes:
        path: The flow file.
        field: The name of the field.
        reason: Why a DAG cannot do what it says.
    """

    def __init__(self, path: str, field: str, reason: str) -> None:
        """Name the flow file and the field, and say why."""
        super().__init__(path, field, reason)
        self.path = path
        self.field = field
        self.reason = reason

    def __str__(self) -> str:
        """Say what is wrong and what to do about it."""
        return (
            f"{self.path}: flow_dag cannot do what `{self.field}` says: {self.reason}; "
            "OrchesjobFlowOperator runs the whole flow as one task; or take "
            f"`{self.field}` out of the file"
        )


class NoOutcome(OrchesjobFlowAirflowError, RuntimeError):
    """An attempt has failed without a report that says how; the message does."""


class ForeignJob(OrchesjobFlowAirflowError, RuntimeError):
    """Another command runs or ran under the key of an attempt (rule 5.9).

    Attributes:
        attempt_key: The key.
    """

    def __init__(self, attempt_key: str) -> None:
        """Name the key."""
        super().__init__(attempt_key)
        self.attempt_key = attempt_key

    def __str__(self) -> str:
        """Name the key in a sentence."""
        return f"another command runs or ran under the key {self.attempt_key}"


class ProgramMissing(OrchesjobFlowAirflowError, LookupError):
    """There is no orchesjob-flow on this host.

    Attributes:
        program: The name or path that was looked for.
        origin: Where it came from, or where it was looked for.
    """

    def __init__(self, program: str, origin: str) -> None:
        """Say what was looked for, and where."""
        super().__init__(program, origin)
        self.program = program
        self.origin = origin

    def __str__(self) -> str:
        """Say what is missing and what to do about it."""
        return (
            f"{self.program} ({self.origin}) is not an executable file on this host; install "
            "orchesjob-flow where the task runs, put it on PATH, or name it with `program`"
        )
