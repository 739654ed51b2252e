"""`example`: a commented flow that this program runs."""

from pathlib import Path

from orchesjob_flow.exit_codes import DONE
from orchesjob_flow.views.streams import write_result

EXAMPLE = Path(__file__).parents[1] / "example.yaml"


def example() -> int:
    """Print the flow file."""
    write_result(EXAMPLE.read_text(encoding="utf-8"))
    return DONE
