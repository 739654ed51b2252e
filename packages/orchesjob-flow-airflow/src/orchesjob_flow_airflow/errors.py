"""The errors of this package.

An error that makes Airflow fail, retry or skip a task is one of Airflow's own. The tasks raise
these; the functions that they call raise the errors here.
"""

from collections.abc import Sequence

from flow_conditions import DeclaredError


class OrchesjobFlowAirflowError(DeclaredError):
    """The base class of this package's errors."""


class InsideDag(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_dag` was called with the flow file `path` while the DAG `dag_id` is being made."""

    says = (
        "{path}: flow_dag makes a DAG of its own, and cannot do that inside the DAG {dag_id!r}; "
        "there, flow_task_group(path) adds the flow as a group of tasks"
    )
    path: str
    dag_id: str


class OutsideDag(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_task_group` was called with the flow file `path` where no DAG is being made."""

    says = (
        "{path}: flow_task_group adds tasks to a DAG, and there is none around it; "
        "call it inside `with DAG(...)`, or flow_dag(path), which makes a DAG of the flow"
    )
    path: str


class InsideMappedGroup(OrchesjobFlowAirflowError, RuntimeError):
    """`flow_task_group` was called in the group `group_id`, which Airflow expands at run time."""

    says = (
        "{path}: flow_task_group cannot be in the mapped group {group_id!r}: its steps would not "
        "know which copies they wait for; call it outside of that group, or map an "
        "OrchesjobFlowOperator, which runs a whole flow as one task"
    )
    path: str
    group_id: str


class ArgumentRefused(OrchesjobFlowAirflowError, ValueError):
    """An argument of a DAG or of its tasks is not one for a DAG file to give (rule 13.4)."""

    says = "{path}: {argument} is refused: {reason}; take it out of the DAG file"
    path: str
    argument: str
    reason: str


class RetriesRefused(OrchesjobFlowAirflowError, ValueError):
    """`infrastructure_retries` is not an integer >= 0."""

    says = "{path}: infrastructure_retries must be an integer >= 0, got {value!r}"
    path: str
    value: object


class FieldRefused(OrchesjobFlowAirflowError, ValueError):
    """A flow has a field that a task for each step cannot obey.

    `function` makes the tasks; `reason` says why they cannot do what the field says.
    """

    says = (
        "{path}: {function} cannot do what `{field}` says: {reason}; OrchesjobFlowOperator runs "
        "the whole flow as one task; or take `{field}` out of the file"
    )
    path: str
    field: str
    reason: str
    function: str


class FlowNotBegun(OrchesjobFlowAirflowError, RuntimeError):
    """A task before the flow's group of tasks has failed, so none of its steps runs."""

    says = "the flow did not begin: a task before it failed"


class DefinitionChanged(OrchesjobFlowAirflowError, RuntimeError):
    """A flow file has changed so much that a run cannot go on as it began (rule 13.3).

    Each of `changes` is a sentence.
    """

    changes: Sequence[str]

    def __str__(self) -> str:
        """Return the sentence, with all changes."""
        return (
            f"the flow file has changed since this run began: {'; '.join(self.changes)}; trigger a "
            "new run, or clear this task and those after it, to run them as the file says now"
        )


class RunDirUnusable(OrchesjobFlowAirflowError, RuntimeError):
    """The directory `path` of a run cannot be used on this host (rule 10.6)."""

    says = (
        "{path}, the directory of the run, {problem}; `run_dirs` must name a folder that all "
        "workers see and can write to, as one and the same user"
    )
    path: str
    problem: str


class AttemptFailed(OrchesjobFlowAirflowError, RuntimeError):
    """An attempt at a step has failed; `exit_code` is that of its command, if it has one."""

    says = "{cause}"
    cause: str
    exit_code: int | None = None


class GateFailed(AttemptFailed):
    """An attempt at the gate of a step, `only_if`, has failed (rule 10.8).

    It has no `exit_code`: that would be the command's.
    """

    says = "only_if: {cause}"


class FilesUnwritten(AttemptFailed):
    """A command has succeeded without writing what its step `produces` (rule 10.10)."""


class AttemptTimedOut(OrchesjobFlowAirflowError, RuntimeError):
    """The job of an attempt still runs after the time limit of its step (rule 5.5)."""

    says = "its time is over"


class ForeignJob(OrchesjobFlowAirflowError, RuntimeError):
    """Another command runs or ran under the key of an attempt (rule 5.9)."""

    says = "another command runs or ran under the key {attempt_key}"
    attempt_key: str


class ProgramMissing(OrchesjobFlowAirflowError, LookupError):
    """There is no orchesjob-flow on this host.

    `program` is the name or path that was searched for, `origin` where it comes from, or where it
    was searched for.
    """

    says = (
        "{program} ({origin}) is not an executable file on this host; install orchesjob-flow where "
        "the task runs, put it on PATH, or name it with `program`"
    )
    program: str
    origin: str
