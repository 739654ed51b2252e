"""`WarningCode`: what a flow file can be warned about, which is all that it is valid for (11.2).

The sentences and the proofs are in `warnings`, which only those import who look for them.
"""

from enum import StrEnum


class WarningCode(StrEnum):
    """The codes, each of which is a section of the document about warnings."""

    NEVER_RUNS = "never-runs"
    ALWAYS_TRUE = "always-true"
    NO_EFFECT = "no-effect"
    UNHANDLED_FAILURE = "unhandled-failure"
    SKIPPED_CLEANUP = "skipped-cleanup"
    SHELL_SYNTAX = "shell-syntax"
    NO_SUCH_PROGRAM = "no-such-program"
    PARAMETER_IN_SHELL = "parameter-in-shell"
    LITERAL_SUBSTITUTION = "literal-substitution"
