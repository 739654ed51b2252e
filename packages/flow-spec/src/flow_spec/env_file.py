"""Files of variables, which are read when an attempt starts: what their bytes say (rule 10.4).

They hold secrets: no message says more of them than a path and the number of a line. They are
read in `env_file_reading`.
"""

from flow_spec.environment import VARIABLE, flaw_of_variable
from flow_spec.errors import EnvFileError
from flow_spec.texts import LONGEST_WORD, flaw_of_word

_QUOTES = ('"', "'")


def parse_env_file(data: bytes, source: str) -> dict[str, str]:
    """Return the variables in a file of NAME=VALUE lines; the last value of a name counts.

    Raises:
        EnvFileError: a line is something else; names `source` and the line, and not what it holds.
    """
    try:
        text = data.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise EnvFileError(source, "is not UTF-8 text", number) from None
    variables = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, equals, value = line.removesuffix("\r").partition("=")
            flaw = _flaw(name, value) if equals else _NO_SETTING
            if flaw is not None:
                raise EnvFileError(source, flaw, number)
            variables[name] = value
    return variables


_NO_SETTING = (
    "must be NAME=VALUE, with a name of A-Z, a-z, 0-9 and _, without export and without spaces "
    "around the ="
)


def _flaw(name: str, value: str) -> str | None:
    """Return what is wrong with a line, without a word of it, or None."""
    if not VARIABLE.fullmatch(name):
        return _NO_SETTING
    if flaw_of_variable(name) is not None:
        return (
            "sets a variable that no flow may set: its name begins with ORCHESJOB_, or it would "
            "change how orchesjob itself starts, as PYTHONPATH and LD_PRELOAD do"
        )
    if len(value) > 1 and value[0] in _QUOTES and value[-1] == value[0]:
        return "has quotes around its value, which would be part of it; write it without them"
    return flaw_of_word(value, LONGEST_WORD - len(f"{name}="))
