"""Boolean conditions over named things, three-valued and without recursion.

Public names only; the modules behind them are private to the package. What every caller needs to
read and evaluate conditions is imported at once, the rest when it is asked for.
"""

from importlib import import_module

from flow_conditions.condition import Condition, all_of
from flow_conditions.errors import (
    BudgetExceeded,
    ConditionDataError,
    ConditionError,
    ConditionSyntaxError,
    ExclusionError,
    InvalidNameError,
    NoNamesError,
)
from flow_conditions.name import Name
from flow_conditions.parser import parse
from flow_conditions.vocabulary import Vocabulary

__all__ = [
    "And",
    "BudgetExceeded",
    "Condition",
    "ConditionDataError",
    "ConditionError",
    "ConditionSyntaxError",
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
    from flow_conditions.explanation import Explanation
    from flow_conditions.functions import Functions
    from flow_conditions.quantifier import Quantifier
    from flow_conditions.tree import And, Not, Or, Tree
else:
    _MODULE_OF = {
        "And": "tree",
        "Explanation": "explanation",
        "Functions": "functions",
        "Not": "tree",
        "Or": "tree",
        "Quantifier": "quantifier",
        "Tree": "tree",
        "equivalent": "algebra",
        "implies": "algebra",
    }

    def __getattr__(name: str) -> object:
        """Import what many callers never need (PEP 562)."""
        if name not in _MODULE_OF:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)

    def __dir__() -> list[str]:
        """List the public names, whether imported already or not."""
        return __all__
