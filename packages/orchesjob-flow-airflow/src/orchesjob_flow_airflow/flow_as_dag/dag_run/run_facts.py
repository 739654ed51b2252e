"""What a run tells the words and the processes of its steps about itself (rules 10.2 and 10.6)."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Self

from flow_spec import BUILT_IN, FlowSpec
from orchesjob_flow_airflow.errors import DefinitionChanged
from orchesjob_flow_airflow.flow_as_dag.dag_run.definition import recorded_with_run
from orchesjob_flow_airflow.flow_as_dag.dag_run.run_dir import run_dir_of

RUN_DIR = "ORCHESJOB_FLOW_RUN_DIR"


class RunFacts(NamedTuple):
    """The facts of a DAG run, or of a flow that is a group of tasks in one."""

    run_key: str
    flow_dir: str
    """The folder of the flow file."""
    started: str
    """When Airflow began the run, also after it was cleared and has begun again."""
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
        began = context["dag_run"].start_date.isoformat(timespec="seconds")
        started = recorded_with_run(context, "started", began, for_good=True)
        return cls(ti.run_id, flow_dir, started, run_dir)

    def filled(self, flow: FlowSpec) -> FlowSpec:
        """Return a flow with all names in its words filled.

        Raises:
            DefinitionChanged: It names the directory of the run, and the DAG file no longer does.
        """
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
            "ORCHESJOB_FLOW_DIR": self.flow_dir,
            "ORCHESJOB_FLOW_STARTED": self.started,
        }
        environ.pop(RUN_DIR, None)  # of a run that has started the worker
        return environ if self.run_dir is None else {**environ, RUN_DIR: self.run_dir}


def needs_run_dir(flow: FlowSpec) -> bool:
    """Whether a word of the flow holds the name of a run's directory."""
    names = dict.fromkeys((*BUILT_IN, *(param.name for param in flow.params)), "")
    here, there = (flow.filled({**names, "RUN_DIR": text}) for text in ("here", "there"))
    return here != there
