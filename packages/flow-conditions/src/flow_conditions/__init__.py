"""Boolean conditions over named things, three-valued and without recursion.

Public names only; the modules behind them are private to the package.
"""

from flow_conditions.condition import Condition, all_of
from flow_conditions.errors import (
    ConditionError,
    ConditionSyntaxError,
    EmptyConjunctionError,
    InvalidNameError,
)
from flow_conditions.explanation import Explanation
from flow_conditions.parser import parse
from flow_conditions.tree import And, Name, Not, Or, Tree
from flow_conditions.vocabulary import Vocabulary

__all__ = [
    "And",
    "Condition",
    "ConditionError",
    "ConditionSyntaxError",
    "EmptyConjunctionError",
    "Explanation",
    "InvalidNameError",
    "Name",
    "Not",
    "Or",
    "Tree",
    "Vocabulary",
    "all_of",
    "parse",
]
