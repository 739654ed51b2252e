"""What importing the package costs, and what it makes known."""

import subprocess
import sys

import pytest

import flow_conditions


def _loaded_by(program: str) -> list[str]:
    """Return the modules that a program loads which `re` and `dataclasses` do not load anyway."""
    program = (
        "import sys, re, dataclasses; before = set(sys.modules); "
        f"{program}; print(*sorted(set(sys.modules) - before))"
    )
    command = [sys.executable, "-I", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_the_base_of_errors_imports_nothing_else() -> None:
    """A package that derives its errors from ours does not pay for conditions."""
    loaded = _loaded_by("from flow_conditions import DeclaredError")
    assert set(loaded) == {"flow_conditions", "flow_conditions.errors"}


def test_parsing_and_evaluating_import_only_what_they_need() -> None:
    """Parsing, evaluating and spelling load no proofs."""
    loaded = _loaded_by(
        "from flow_conditions import parse; "
        "condition = parse('A && !B'); condition.evaluate(lambda _: None); str(condition)"
    )
    needed = {f"flow_conditions.{name}" for name in ("errors", "grammar", "condition", "parser")}
    assert set(loaded) == {"flow_conditions", *needed}


def test_operands_are_found_without_conditions() -> None:
    """A caller that looks only for operands loads no conditions, and no dataclasses for them."""
    loaded = _loaded_by("from flow_conditions import operands_in; list(operands_in('a && b'))")
    assert set(loaded) == {"flow_conditions", "flow_conditions.errors", "flow_conditions.grammar"}


@pytest.mark.parametrize(
    ("use", "module"),
    [
        ("flow_conditions.Explanation", "condition"),
        ("flow_conditions.Quantifier", "parser"),
        ("flow_conditions.parse('A').is_satisfiable()", "boolean_functions"),
    ],
)
def test_what_is_asked_for_is_imported(use: str, module: str) -> None:
    """A name is imported when it is first used, and its user need not know from where."""
    assert f"flow_conditions.{module}" in _loaded_by(f"import flow_conditions; {use}")


def test_all_public_names_are_listed_and_there() -> None:
    assert dir(flow_conditions) == sorted(flow_conditions.__all__)
    everything: dict[str, object] = {}
    exec("from flow_conditions import *", everything)  # noqa: S102
    assert set(flow_conditions.__all__) <= set(everything)
    with pytest.raises(AttributeError, match="'flow_conditions' has no attribute 'Xor'"):
        _ = flow_conditions.Xor  # type: ignore[attr-defined]
