"""What the errors of all packages have in common."""

import inspect
import string

import pytest

import flow_conditions.errors
import flow_spec.errors
import flow_store.errors
import orchesjob_flow.errors
from flow_conditions import DeclaredError

MODULES = [flow_conditions.errors, flow_spec.errors, flow_store.errors, orchesjob_flow.errors]
DECLARED = [
    kind
    for module in MODULES
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, DeclaredError | flow_store.errors.DeclaredError)
    and kind.__module__ == module.__name__
]


def test_both_bases_are_the_same() -> None:
    """Each of two packages has the base of declared errors, for neither depends on another one."""
    copies = [flow_conditions.errors.DeclaredError, flow_store.errors.DeclaredError]
    assert len({inspect.getsource(copy) for copy in copies}) == 1


@pytest.mark.parametrize("kind", DECLARED, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_a_sentence_names_fields_of_its_error(kind: type[DeclaredError]) -> None:
    """`says` is plain text to a type checker: a name in it that is no field would show too late."""
    named = [name for _, name, _, _ in string.Formatter().parse(kind.says) if name is not None]
    assert {name.partition(".")[0] for name in named} <= {name for name, _ in kind._fields}
