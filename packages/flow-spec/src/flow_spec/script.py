"""The keys `script` and `shell` of a step in a file: a text, and the words of what runs it.

No step has them: reading makes its `command` of both (rule 10.4). How a step is read as a whole is
in `defaults`.
"""

from collections.abc import Sequence

import attrs

from flow_spec import messages
from flow_spec.containers import CommandWords
from flow_spec.declaration import Declaration
from flow_spec.document import Node, Path, Scalar
from flow_spec.errors import Message
from flow_spec.kinds import Schema, Text, Word
from flow_spec.reading import Reading
from flow_spec.texts import LONGEST_WORD, flaw_of_word

SHELL = ("bash", "-euo", "pipefail", "-c")
"""What runs a script unless the file names another shell: it stops at the first failure."""

_BLANK = " \t\r\n"


@attrs.frozen(eq=False)
class Script(Text):
    """The text of a script, passed to its shell as one word."""

    def schema(self) -> Schema:
        """Say that it is neither blank nor the content of an executable file."""
        blank = f"[{_BLANK}]*"
        return super().schema() | {"pattern": rf"^(?!{blank}#!){blank}[^\x00{_BLANK}][^\x00]*$"}

    def _read(self, node: Node, path: Path, reading: Reading) -> str | None:
        if not isinstance(node, Scalar):
            reading.add(messages.no_script(node), path, node)
            return None
        if node.folded:
            reading.add(messages.folded_script(), path, node)
        return super()._read(node, path, reading)

    def _flaw(self, text: str) -> Message | None:
        if not text.strip(_BLANK):
            return messages.blank_script()
        if text.lstrip(_BLANK).startswith("#!"):
            return messages.script_names_interpreter(text.lstrip(_BLANK).splitlines()[0])
        return flaw_of_word(text, LONGEST_WORD)


SCRIPT = Declaration(
    Script(),
    "Text for a shell, instead of a command.",
    significant=True,
    default=None,
    examples=("zcat *.gz | wc -l > count.txt",),
)
SHELL_OF_SCRIPT = Declaration(
    CommandWords(Word(), "words", "[bash, -euo, pipefail, -c]", min_items=1),
    "The program that runs the script, and its arguments up to the text.",
    significant=True,
    default=SHELL,
    examples=(["bash", "-c"], ["python3", "-c"]),
)


def command_of(script: str, shell: Sequence[str], step_id: str) -> tuple[str, ...]:
    """Return the command that runs a script.

    The shell that is meant where none is named gets a name for its messages, its `$0`. Of any other
    nobody knows what it would make of one more word.
    """
    return (*shell, script, step_id) if tuple(shell) == SHELL else (*shell, script)


def script_of(command: Sequence[str]) -> str | None:
    """Return the script that a command passes to the shell that is meant where none is named."""
    is_script = len(command) == len(SHELL) + 2 and tuple(command[: len(SHELL)]) == SHELL
    return command[len(SHELL)] if is_script else None
