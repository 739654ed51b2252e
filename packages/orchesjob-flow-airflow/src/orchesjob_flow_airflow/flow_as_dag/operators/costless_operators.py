"""The tasks of a flow that cost no worker: its first one, and those that many others meet at.

The scheduler ends them as it does an EmptyOperator, whose module takes longer to import than all of
this package. As no worker runs the first one, nothing ever deletes its XComs: what is noted with a
run is there (see `run_record`).
"""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import BaseOperator


class BeginningOperator(BaseOperator):
    """Succeeds if what is before the flow has succeeded."""

    ui_color = "#e8e8e8"
    inherits_from_empty_operator = True

    def __init__(self, *, trigger_rule: str = "all_success", **kwargs: Any) -> None:
        """Refuse what `default_args` may hold for steps: with a callback, a worker would run it."""
        super().__init__(
            trigger_rule=trigger_rule,
            depends_on_past=False,
            wait_for_downstream=False,
            pre_execute=None,
            post_execute=None,
            on_execute_callback=None,
            on_success_callback=None,
            on_failure_callback=None,
            email_on_failure=False,
            inlets=None,
            outlets=None,
            **kwargs,
        )

    def execute(self, context: Mapping[str, Any]) -> None:
        """Do nothing."""


class JointOperator(BeginningOperator):
    """Succeeds as soon as all that is before has ended, in whatever way."""

    def __init__(self, **kwargs: Any) -> None:
        """Wait for all that is before."""
        super().__init__(trigger_rule="all_done", **kwargs)
