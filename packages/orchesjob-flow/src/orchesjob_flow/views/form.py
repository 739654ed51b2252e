"""Which form a result or an error has: JSON for programs, text for people (rule 6.11).

Nobody has to ask: a person reads a terminal, a program reads a pipe or a file. How either looks is
the matter of other modules.
"""

import os
from enum import StrEnum

from orchesjob_flow.views import terminal

VARIABLE = "ORCHESJOB_FLOW_FORMAT"
AUTO = "auto"
SPELLINGS = (AUTO, "json", "table", "text")
"""What `--format` and the variable may say; most texts are tables, so both words mean the same."""


class Form(StrEnum):
    """How something is printed."""

    JSON = "json"
    TEXT = "text"


def form_for(spelling: str, *, is_terminal: bool) -> Form:
    """Return the form that a spelling asks for on a stream.

    >>> form_for("auto", is_terminal=False), form_for("table", is_terminal=False)
    (<Form.JSON: 'json'>, <Form.TEXT: 'text'>)
    """
    if spelling == AUTO:
        return Form.TEXT if is_terminal else Form.JSON
    return Form.JSON if spelling == "json" else Form.TEXT


def form_of_result(spelling: str) -> Form:
    """Return the form of what is written to stdout."""
    return form_for(spelling, is_terminal=terminal.stdout().stream.isatty())


def default_spelling() -> str:
    """Return what the variable says, however it is spelled."""
    return os.environ.get(VARIABLE) or AUTO


def form_of_errors() -> Form:
    """Return the form of an error; a program that reads stderr finds JSON there, come what may."""
    is_read = terminal.stderr().stream.isatty() and default_spelling() != Form.JSON
    return Form.TEXT if is_read else Form.JSON
