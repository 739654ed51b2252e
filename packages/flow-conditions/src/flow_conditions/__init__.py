"""Boolean conditions over named things, three-valued and without recursion.

Public names only; the modules behind them are private to the package. Errors are imported at once,
because other packages derive theirs from `DeclaredError`; every other name when it is first used.
"""

from flow_conditions.errors import (
    BudgetExceeded,
    ConditionError,
    ConditionSyntaxError,
    DeclaredError,
    InvalidNameError,
)

__all__ = [
    "FALSE",
    "TRUE",
    "BudgetExceeded",
    "Condition",
    "ConditionError",
    "ConditionSyntaxError",
    "DeclaredError",
    "Explanation",
    "Functions",
    "InvalidNameError",
    "Name",
    "Occurrence",
    "Quantifier",
    "Vocabulary",
    "all_of",
    "any_of",
    "equivalent",
    "implies",
    "operands_in",
    "parse",
]

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.boolean_functions import Functions, equivalent, implies
    from flow_conditions.condition import FALSE, TRUE, Condition, Explanation, Name, all_of, any_of
    from flow_conditions.grammar import Occurrence, operands_in
    from flow_conditions.parser import Quantifier, Vocabulary, parse
else:
    _NAMES_IN = {
        "boolean_functions": "Functions equivalent implies",
        "condition": "Condition Explanation FALSE Name TRUE all_of any_of",
        "grammar": "Occurrence operands_in",
        "parser": "Quantifier Vocabulary parse",
    }
    _MODULE_OF = {name: module for module, names in _NAMES_IN.items() for name in names.split()}

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
        return globals().setdefault(name, value)

    def __dir__() -> list[str]:
        """List the public names, whether imported already or not."""
        return __all__
