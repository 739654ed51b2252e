"""Steps that record that they have begun, whatever orchesjob or the program say of it."""

from support.flow import Flow


def recording(flow: Flow, script: str) -> list[str]:
    """Return the command of a step that records its beginning and then runs a script."""
    return ["sh", "-c", f'echo "$ORCHESJOB_FLOW_STEP" >> {flow.folder}/begun; {script}']


def begun(flow: Flow) -> list[str]:
    """Return the steps that have begun, in that order and as often as they have."""
    return (flow.folder / "begun").read_text(encoding="utf-8").split()
