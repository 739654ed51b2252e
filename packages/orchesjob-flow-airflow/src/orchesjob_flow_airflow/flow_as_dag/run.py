"""What a task knows of its DAG run: the ids of its tasks, the flow that it uses, its facts.

The ids of a flow that is a group of tasks begin with the id of that group. A task may be in further
groups inside it, so no id depends on the group that a task happens to be in.

Airflow runs the DAG file again for each try of each task, and a bundle without versions holds the
file as it is today. So the first task of a run that begins on a worker records the flow with the
run, and the later ones use that (rule 13.3).
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Self

from airflow.sdk import BaseXCom, TaskGroup
from airflow.sdk.exceptions import AirflowRuntimeError

from flow_spec import (
    BUILT_IN,
    FlowSpec,
    ParamsError,
    Problem,
    StepVariable,
    StoredFlowError,
    base_of,
)
from orchesjob_flow_airflow.errors import DefinitionChanged, RunDirUnusable

BEGINNING, OUTCOME = "flow.begin", "flow.outcome"
FINALLY, END, CANCELLED = "flow.finally", "flow.end", "flow.cancelled"
"""No step can have these ids: the id of a step contains no `.`."""
_LONGEST_READABLE = 150
_UNREADABLE = re.compile(r"[^A-Za-z0-9_+=@,.-]")


class TaskIds(NamedTuple):
    """The ids of the tasks of one flow in a DAG; each of them begins with `prefix`."""

    prefix: str

    @classmethod
    def within(cls, group: TaskGroup) -> Self:
        """Return the ids of tasks that are added to this group, which may be that of a DAG."""
        return cls(f"{group.group_id}." if group.group_id and group.prefix_group_id else "")

    def of_step(self, step_id: str) -> str:
        """Return the id of the task of a step.

        A copy `load@berlin` is the task `load.berlin`: Airflow allows no `@`. `flow@begin` is
        `flow.-begin`, which no other task can have: no label of a copy begins with `-`.
        """
        dot = ".-" if base_of(step_id) == "flow" else "."
        return f"{self.prefix}{step_id.replace('@', dot)}"


def xcom_of_run(context: Mapping[str, Any], key: str) -> dict[str, Any]:
    """Return the arguments with which `BaseXCom` finds what is recorded with a run under a key.

    It is an XCom of the first task, which no worker runs: Airflow deletes those of any other task
    when the task begins.
    """
    ti = context["ti"]
    return {
        "key": key,
        "dag_id": ti.dag_id,
        "run_id": ti.run_id,
        "task_id": f"{context['task'].task_ids.prefix}{BEGINNING}",
    }


def read_record(xcom: Mapping[str, Any]) -> Any:
    """Return what is recorded under these arguments for `BaseXCom`; None if nothing is.

    All is asked for, not one: Airflow reports a missing one as an error in the task's log.
    """
    found = BaseXCom.get_all(**xcom)
    return found[0] if found else None


def digest(flow: FlowSpec) -> str:
    """Return a short digest of a flow; two different flows have two."""
    return hashlib.sha256(flow.to_json().encode()).hexdigest()[:16]


def flow_of_dag_run(context: Mapping[str, Any], flow: FlowSpec) -> FlowSpec:
    """Return the flow as it was when this run began, or when a task of it was last cleared.

    Its parameters have the values of the run; `flow` is what the file says now. If that has changed
    in something that Airflow obeys, it is a `DefinitionChanged`.
    """
    from flow_spec import differences

    flow = bound_flow(context, flow)
    text = flow.to_json()
    recorded = recorded_with_run(context, "flow", text)
    if recorded == text:
        return flow
    try:
        began_with = FlowSpec.from_json(recorded)
    except StoredFlowError as error:
        raise DefinitionChanged([str(error)]) from error
    changes = [*differences(began_with, flow), *list_changes(began_with, flow)]
    if not can_continue(began_with, flow):
        raise DefinitionChanged(changes)
    if changes:
        context["task"].log.warning(
            "the flow file has changed since this run began; the run goes on as it began: %s",
            "; ".join(changes),
        )
    return began_with


def bound_flow(context: Mapping[str, Any], flow: FlowSpec) -> FlowSpec:
    """Return the flow with the values of this run, or raise a `ParamsError`."""
    if not flow.params:
        return flow
    # Airflow checks the values that it knows, and passes any other key without a word.
    declared, given = context["task"].dag.params, context["dag_run"].conf or {}
    names = [param.name for param in flow.params]
    if getattr(context["task"], "step_id", None) not in flow.finally_ids:  # which may tell of it
        names += [key for key in given if key not in declared]
    values = {name: context["params"].get(name) for name in names}
    problems = tuple(
        Problem(f"must be text or a number, got {type(value).__name__}", f"params.{name}")
        for name, value in values.items()
        if not isinstance(value, str | int | float | None)
    )
    if problems:
        raise ParamsError(flow.flow_id, problems)
    return flow.with_params(
        {
            name: value if isinstance(value, str) else json.dumps(value)  # `true`, not `True`
            for name, value in values.items()
            if value is not None
        }
    )


def can_continue(began_with: FlowSpec, now: FlowSpec) -> bool:
    """Return whether a run of `began_with` can continue on the DAG that Airflow makes of `now`.

    Airflow obeys the upstream steps of each step, its retries, and its place. Added copies of a
    step do not matter: in that run their tasks do nothing.
    """
    was, is_now = (
        {
            step.id: (set(step.waits_for), step.retries, step.id in flow.finally_ids)
            for step in flow.all_steps
        }
        for flow in (began_with, now)
    )
    kept = {name: is_now[name] for name in is_now if name in was}
    return kept == was and all(base_of(name) in began_with.copies for name in is_now.keys() - was)


def list_changes(old: FlowSpec, new: FlowSpec) -> Iterator[str]:
    """Yield a sentence for each list of a `foreach` that has lost values in `new` (rule 10.3).

    The local runner keeps the lists of a run. Airflow makes tasks of the values that there are now.
    """
    for (origin, text), values in old.lists.items():
        kept = {*new.lists.get((origin, text), values)}
        if gone := [value for value in values if value not in kept]:
            rest = f" and {len(gone) - 1} more values" if len(gone) > 1 else ""
            yield f"{origin} {text!r} no longer gives {gone[0]!r}{rest}"


def recorded_with_run(
    context: Mapping[str, Any], name: str, text: str, *, for_good: bool = False
) -> str:
    """Return what is recorded with the run under this name; record `text` if nothing is.

    Clearing a task adopts the file as it is now, so each clearing starts a new record, unless the
    record is `for_good`.
    """
    key = name if for_good else f"{name}_{context['dag_run'].clear_number}"
    xcom = xcom_of_run(context, key)
    recorded = read_record(xcom)
    if recorded is None:
        refusal = None
        try:
            BaseXCom.set(value=text, **xcom)
        except AirflowRuntimeError as error:  # another task may be recording it at this moment
            refusal = error
        recorded = read_record(xcom)  # tasks that begin at once all use the same record
        if recorded is None and refusal is not None:
            raise refusal
    return str(recorded)


class RunFacts(NamedTuple):
    """The facts of a DAG run, or of a flow that is a group of tasks in one (10.2 and 10.6)."""

    run_key: str
    flow_dir: str
    """The folder of the flow file."""
    started: str
    """When Airflow first began the run, in the first worker's time; clearing does not change it."""
    run_dir: str | None
    """The directory of the run, if the DAG file names a folder for it."""

    @classmethod
    def of(cls, context: Mapping[str, Any], flow_dir: str, run_dirs: str | None) -> Self:
        """Ask Airflow, in the context of a task. The run keeps its directory (rule 13.3)."""
        ti, task_ids = context["ti"], context["task"].task_ids
        run_dir = None
        if run_dirs is not None:
            ids = (ti.dag_id, ti.run_id, *filter(None, [task_ids.prefix.removesuffix(".")]))
            run_dir = recorded_with_run(context, "run_dir", run_dir_of(run_dirs, *ids))
        began = context["dag_run"].start_date.astimezone().isoformat(timespec="seconds")
        started = recorded_with_run(context, "started", began, for_good=True)
        return cls(ti.run_id, flow_dir, started, run_dir)

    def filled(self, flow: FlowSpec) -> FlowSpec:
        """Return a flow with all names in its words filled."""
        names = {"FLOW_DIR": self.flow_dir, "RUN_KEY": self.run_key}
        if self.run_dir is not None:
            names["RUN_DIR"] = self.run_dir
        elif needs_run_dir(flow):
            raise DefinitionChanged(["the DAG file no longer has `run_dirs`"])
        return flow.filled(names)

    def environ(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a worker, with what every command of the run sees."""
        environ = {
            **inherited,
            StepVariable.DIR: self.flow_dir,
            StepVariable.STARTED: self.started,
        }
        environ.pop(StepVariable.RUN_DIR, None)  # it would be that of a run that started the worker
        return environ if self.run_dir is None else {**environ, StepVariable.RUN_DIR: self.run_dir}


def needs_run_dir(flow: FlowSpec) -> bool:
    """Return whether a word of the flow holds the name of a run's directory."""
    names = dict.fromkeys((*BUILT_IN, *(param.name for param in flow.params)), "")
    here, there = (flow.filled({**names, "RUN_DIR": text}) for text in ("here", "there"))
    return here != there


def run_dir_of(run_dirs: str, *ids: str) -> str:
    """Return the path of a run's directory, in the folder that all workers see.

    The ids of DAG, run and group make its name readable; their digest makes it unique.
    """
    readable = _UNREADABLE.sub("_", ".".join(ids))[:_LONGEST_READABLE]
    digest = hashlib.sha256("\0".join(ids).encode()).hexdigest()[:32]
    return os.path.join(run_dirs, f"{readable}.{digest}")  # noqa: PTH118 - text, as given


def make_run_dir(path: str) -> None:
    """Create the directory of a run for its owner only, unless it exists (rule 10.6).

    Tasks may do this at the same time. If something else is in its place, it is `RunDirUnusable`.
    """
    try:
        os.mkdir(path, 0o700)  # noqa: PTH102 - text, as given
        os.chmod(path, 0o700)  # noqa: PTH101 - the umask may have taken something away
    except FileExistsError:
        found = os.lstat(path)
        if not stat.S_ISDIR(found.st_mode):
            raise RunDirUnusable(path, "is not a folder") from None
        if found.st_uid != os.geteuid():
            problem = f"belongs to another user, with the number {found.st_uid}"
            raise RunDirUnusable(path, problem) from None
    except OSError as error:
        raise RunDirUnusable(path, f"cannot be made: {error.strerror}") from error
