"""What is loaded, and when: `start` and `status` pay for nothing that they do not use."""

import subprocess
import sys

import pytest

IMPORT = "import flow_spec"
READ = f"""{IMPORT}
text = "{{flow_id: f, steps: [{{id: a, script: x}}, {{id: b, when: !a, script: x}}]}}"
flow_spec.parse_flow(text)
"""
STORED = f"""{IMPORT}
text = '{{"flow_id":"f","steps":[{{"id":"A","command":["x"],"when":"!A"}}]}}'
flow_spec.FlowSpec.from_json(text).step("A").condition
"""
WARN = f"""{IMPORT}
text = "{{flow_id: f, steps: [{{id: a, STEP}}]}}"
flow_spec.find_warnings(flow_spec.read_text(text, "f.yaml"))
"""


@pytest.mark.parametrize(
    ("code", "loaded", "unloaded"),
    [
        (IMPORT, "", "yaml cattrs graphlib"),
        (READ, "yaml", "tomllib flow_spec.warnings flow_conditions.boolean_functions"),
        (STORED, "cattrs", "yaml graphlib"),
        (WARN.replace("STEP", "command: [grep, '|', x]"), "flow_spec.warnings", "tree_sitter"),
        (WARN.replace("STEP", "script: x"), "tree_sitter", ""),
    ],
)
def test_what_is_loaded(code: str, loaded: str, unloaded: str) -> None:
    # Measuring coverage has loaded tomllib already.
    code = f"import sys; sys.modules.pop('tomllib', None)\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = {*done.stdout.split()}
    assert {*loaded.split()} <= modules
    assert not {*unloaded.split()} & modules
