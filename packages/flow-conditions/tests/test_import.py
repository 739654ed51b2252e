"""What importing the package costs."""

import subprocess
import sys


def test_the_package_imports_little() -> None:
    """`import flow_conditions` loads nothing that `re` and `dataclasses` do not load anyway."""
    program = (
        "import sys, re, dataclasses; before = set(sys.modules); import flow_conditions; "
        "print(*sorted(name for name in set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-c", program]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "flow_conditions.parser" in loaded
    assert [name for name in loaded if name.partition(".")[0] != "flow_conditions"] == []
