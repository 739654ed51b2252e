"""What a DAG file that uses this package imports: it is read again and again."""

import os
import subprocess
import sys
from pathlib import Path

OURS = {"flow_conditions", "flow_spec", "orchesjob_flow_airflow"}
CODE = """
import sys
from airflow.sdk import DAG, BaseOperator, RetryPolicy
import airflow.dag_processing.dagbag
BaseOperator(task_id="a", dag=DAG("hand"))
before = set(sys.modules)
from orchesjob_flow_airflow import flow_dag
flow_dag(sys.argv[1])
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), sep="\\n")
"""


def test_nothing_else_is_imported(tmp_path: Path) -> None:
    """The DAG processor loads our packages, but for the one that only workers need."""
    flow = tmp_path / "flow.yaml"
    flow.write_text(
        '{flow_id: f, steps: [{id: a, command: [x]}, {id: b, command: [x], when: "!a"}]}'
    )
    words = [sys.executable, "-c", CODE, str(flow)]
    environ = {**os.environ, "AIRFLOW_HOME": str(tmp_path)}
    finished = subprocess.run(words, env=environ, capture_output=True, text=True, check=True)
    names = finished.stdout.split()[-20:]
    standard = {name for name in names if name in sys.stdlib_module_names}
    assert set(names) - standard == OURS
    assert standard <= {"graphlib"}  # which looks for cycles
