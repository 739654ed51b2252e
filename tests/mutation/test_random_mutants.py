"""Random mutants change what they say, and can be run."""

from pathlib import Path

import pytest

from .random_mutants import ROOT, draw, mutants_of
from .reach import module_of, node_of

BEGIN = "def f(a, b, c):\n"


@pytest.mark.parametrize(
    ("line", "kind", "changed"),
    [
        ("return a < b", "comparison", "return (a <= b)"),
        ("return a is not b", "comparison", "return (a is b)"),
        ("return a and b", "condition", "return (a or b)"),
        ("return not a", "condition", "return (a)"),
        ("return b if a else c", "condition", "return (c if a else b)"),
        ("if a: b()", "condition", "if not a:\n        b()"),
        ("while a: b()", "call", "while a: pass"),
        ("return a + b", "arithmetic", "return (a - b)"),
        ("return a[:5]", "constant", "return a[:(6)]"),
        ("return True", "constant", "return (False)"),
        ("return a(b, c)", "arguments", "return (a(c, b))"),
        ("a(b)", "call", "pass"),
        ("return a", "return", "return None"),
        ("raise a", "exception", "pass"),
    ],
)
def test_a_mutant(tmp_path: Path, line: str, kind: str, changed: str) -> None:
    """Of each kind, the change is the one that a reader expects."""
    module = tmp_path / "module.py"
    module.write_text(f"{BEGIN}    {line}\n")
    assert f"{BEGIN}    {changed}\n" in [m.text for m in mutants_of(module) if m.kind == kind]


def test_a_seed_draws_the_same_again() -> None:
    """A drawn mutant is a module that can be compiled, of the package that was asked for."""
    drawn = draw(5, 7, "flow-store")
    assert [mutant.text for mutant in draw(5, 7, "flow-store")] == [one.text for one in drawn]
    for mutant in drawn:
        compile(mutant.text, mutant.path, "exec")
        assert mutant.package == "flow-store"


def test_what_coverage_calls_tests_and_modules() -> None:
    """It knows a test of the checkout, and one of an unpacked sdist; a module wherever it is."""
    assert node_of("tests/test_run.py::test_x[a|b]") == "tests/test_run.py::test_x"
    assert node_of("packages/a/|tests/test_a.py::test_x") == "packages/a/tests/test_a.py::test_x"
    path = ROOT / "packages/flow-spec/src/flow_spec/flow.py"
    assert module_of(path) == module_of(Path("/x/lib/python3.12/site-packages/flow_spec/flow.py"))
