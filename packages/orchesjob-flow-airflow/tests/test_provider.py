"""The package as Airflow lists it."""

import os
import subprocess
import sys
from pathlib import Path


def test_airflow_lists_the_provider(tmp_path: Path) -> None:
    """`airflow providers list` names the package and what it does (rule 13.4)."""
    program = str(Path(sys.executable).parent / "airflow")
    environ = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "COLUMNS": "400"}
    words = [program, "providers", "list", "--output", "plain"]
    listed = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout
    assert "Flow files of orchesjob-flow: a flow as a DAG, a task group or one task" in listed
