"""A run as the result of a command, in the form of its reader (rule 6.11)."""

from orchesjob_flow.home.runs import RunHandle, Snapshot
from orchesjob_flow.views import terminal
from orchesjob_flow.views.form import Form
from orchesjob_flow.views.streams import write_result


def show_run(handle: RunHandle, snapshot: Snapshot, form: Form) -> None:
    """Print a run as it is now; neither form imports what the other one needs."""
    if form is Form.JSON:
        from orchesjob_flow.views.run_json import print_run

        print_run(*snapshot)
    else:
        from orchesjob_flow.views.printed_table import print_table

        print_table(snapshot)
        show_next_steps(handle, snapshot)


def show_next_steps(handle: RunHandle, snapshot: Snapshot) -> None:
    """Print what a person can do next; a table in a file ends with its last line."""
    if not terminal.stdout().stream.isatty():
        return
    from orchesjob_flow.views.next_steps import next_steps

    lines = next_steps(handle, snapshot)
    write_result("".join(f"{line}\n" for line in ["", *lines]) if lines else "")
