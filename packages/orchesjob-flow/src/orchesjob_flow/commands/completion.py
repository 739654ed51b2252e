"""`completion`: the script with which a shell completes command lines (rule 9.15)."""

from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.views.streams import write_result


def completion(script: str) -> int:
    """Print the script of a shell."""
    write_result(script)
    return DONE
