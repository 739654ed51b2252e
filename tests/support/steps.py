"""The two plainest steps of a flow."""

TRUE = {"id": "a", "command": ["true"]}
AFTER = {"id": "b", "command": ["true"], "when": "a"}
