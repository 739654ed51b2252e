"""The JSON Schema of a flow file, made from the declarations that read it (rule 9.2).

For editors: it describes shapes, bounds and words. Names of steps, conditions and cycles are
checked by `load_flow` only.
"""

from typing import Any

from flow_spec.flow import FLOW

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a flow file as a document that JSON can hold."""
    about = {"title": "orchesjob flow", "description": "Steps that depend on each other."}
    return {"$schema": DIALECT, **about, **FLOW.schema()}
