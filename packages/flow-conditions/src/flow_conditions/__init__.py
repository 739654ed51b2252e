"""Boolean conditions over named things, three-valued and without recursion.

Public names only; the modules behind them are private to the package. Errors are imported at once,
because other packages derive theirs from `DeclaredError`; every other name when it is first used.
"""

from flow_conditions.errors import (
    BudgetExceeded,
    ConditionDataError,
    ConditionError,
    ConditionSyntaxError,
    DeclaredError,
    ExclusionError,
    InvalidNameError,
    NoNamesError,
)

__all__ = [
    "And",
    "BudgetExceeded",
    "Condition",
    "ConditionDataError",
    "ConditionError",
    "ConditionSyntaxError",
    "DeclaredError",
    "ExclusionError",
    "Explanation",
    "Functions",
    "InvalidNameError",
    "Name",
    "NoNamesError",
    "Not",
    "Or",
    "Quantifier",
    "Tree",
    "Vocabulary",
    "all_of",
    "equivalent",
    "implies",
    "parse",
]

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.algebra import equivalent, implies
    from flow_conditions.condition import Condition, all_of
    from flow_conditions.explanation import Explanation
    from flow_conditions.functions import Functions
    from flow_conditions.name import Name
    from flow_conditions.parser import parse
    from flow_conditions.quantifier import Quantifier
    from flow_conditions.tree import And, Not, Or, Tree
    from flow_conditions.vocabulary import Vocabulary
else:
    _MODULE_OF = {
        "And": "tree",
        "Condition": "condition",
        "Explanation": "explanation",
        "Functions": "functions",
        "Name": "name",
        "Not": "tree",
        "Or": "tree",
        "Quantifier": "quantifier",
        "Tree": "tree",
        "Vocabulary": "vocabulary",
        "all_of": "condition",
        "equivalent": "algebra",
        "implies": "algebra",
        "parse": "parser",
    }

    def __getattr__(name: str) -> object:
        """Import a public name when it is first used (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

    def __dir__() -> list[str]:
        """List the public names, whether imported already or not."""
        return __all__
