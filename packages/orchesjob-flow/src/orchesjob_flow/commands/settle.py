"""`settle`: a person decides how a step of a run has ended, and the run goes on (rule 12.3)."""

import os
import pwd
from collections.abc import Mapping

from flow_spec import FlowSpec
from flow_store import Person, Run, StepStatus
from orchesjob_flow.clock import now
from orchesjob_flow.commands.advance import Manner
from orchesjob_flow.commands.reopening import Plan, reopen
from orchesjob_flow.engine.reopening import Settling, plan_settle
from orchesjob_flow.home.runs import RunHandle


def settle(handle: RunHandle, step: str, outcome: str, reason: str, manner: Manner) -> int:
    """Record the outcome that a person gives a step, and advance the run from there."""

    def plan(run: Run) -> Plan:
        by = who_calls(handle.settings.environ)
        settling = Settling(StepStatus(outcome.upper()), reason, by, now().wall)
        flow = FlowSpec.from_json(run.definition)
        return Plan(flow, plan_settle(run, flow, step, settling))

    return reopen(handle, plan, manner)


def who_calls(environ: Mapping[str, str]) -> Person:
    """Name the user who runs this process, by the system, and who that was before `sudo`."""
    uid = os.getuid()
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:  # as in a container that runs as some number
        user = str(uid)
    return Person(user, uid, environ.get("SUDO_USER") or None)
