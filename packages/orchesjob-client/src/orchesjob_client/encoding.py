"""One encoding for all that orchesjob is told and answers: UTF-8, whatever the locale (rule 5.12).

orchesjob reads its arguments in the encoding of its environment, and keeps as text what it has
read; its worker encodes that text again, perhaps otherwise. So it is run in UTF-8. Its command
inherits that environment, and is given back its own.
"""

import os
from collections.abc import Mapping, Sequence

_RESTORER = "/usr/bin/env"
_UTF8 = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"}
"""What makes any Python speak UTF-8. `python -E`, as pipx writes it, heeds only the first; where
there is no such locale, Python speaks UTF-8 too."""
_PLAIN = ("", "C", "POSIX")
_SPELLINGS = ("utf-8", "iso8859-1")
"""How bytes in UTF-8 are read: as they are, in which ASCII is included; or as one of Europe's."""


def in_utf8(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for a call that starts nothing: as given, if it speaks UTF-8."""
    return dict(environ) if _speaks_utf8(environ) else {**environ, **_UTF8}


def start_in_utf8(
    command: Sequence[str], environ: Mapping[str, str], *, also_told: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
    """Return command and environment for a call that starts the command.

    Where orchesjob would speak UTF-8 anyhow, or is told nothing but ASCII in the command and in
    what it is `also_told`, they are as given. Else it gets our environment, and the command is led
    by `env`, which gives it back its own.

    Raises:
        ValueError: `env` would take the command's first word for a variable.
    """
    is_ascii = all(word.isascii() for word in (*command, *also_told))
    if is_ascii or _speaks_utf8(environ):
        return list(command), dict(environ)
    if any("=" in word for word in command[:1]):
        raise ValueError(
            f"{command[0]!r} cannot be passed through env in a locale without UTF-8: put sh -c "
            "before it, or set LC_ALL to a locale with UTF-8"
        )
    return [*_restoring(environ), *command], {**environ, **_UTF8}


def _speaks_utf8(environ: Mapping[str, str]) -> bool:
    """Tell whether any Python certainly speaks UTF-8 in an environment, which may be a step's own.

    Python takes a locale that is missing for C, and in C it speaks UTF-8 unless that is forbidden.
    """
    names = (environ.get(name) for name in ("LC_ALL", "LC_CTYPE", "LANG"))
    locale = next(filter(None, names), "")
    encoding = locale.partition(".")[2].partition("@")[0]
    is_utf8 = encoding.lower().replace("-", "") == "utf8"
    return environ.get("PYTHONUTF8") != "0" and (locale in _PLAIN or is_utf8)


def _restoring(environ: Mapping[str, str]) -> list[str]:
    """Return the words that give a command back the variables which orchesjob has otherwise."""
    unset = [word for name in _UTF8 if name not in environ for word in ("-u", name)]
    return [_RESTORER, *unset, *(f"{name}={environ[name]}" for name in _UTF8 if name in environ)]


def is_same_command(reported: Sequence[str], sent: Sequence[str]) -> bool:
    """Tell whether what orchesjob reports is the command that it was sent (rule 5.9).

    The command may be led by what gives it its own environment back. And where a wrapper runs
    orchesjob in a locale of its choice, the same bytes are spelled otherwise.
    """
    size = max(0, len(reported) - len(sent))
    return _restores(reported[:size]) and any(
        _bytes_of(reported[size:], encoding) == _bytes_of(sent, "utf-8") for encoding in _SPELLINGS
    )


def _restores(words: Sequence[str]) -> bool:
    """Tell whether words that lead a command only give it its own environment back."""
    return (not words or words[0] == _RESTORER) and all(
        word == "-u" or word.partition("=")[0] in _UTF8 for word in words[1:]
    )


def _bytes_of(words: Sequence[str], encoding: str) -> list[bytes] | None:
    """Return the bytes that words stand for, if they were read in this encoding."""
    try:
        return [word.encode(encoding, "surrogateescape") for word in words]
    except UnicodeEncodeError:
        return None


def passed(argv: Sequence[str]) -> list[bytes]:
    """Return the bytes of an executable's path and of its arguments, whatever Python speaks here.

    Raises:
        ValueError: A word holds a surrogate that stands for no byte.
    """
    executable, *words = argv
    return [os.fsencode(executable), *(word.encode("utf-8", "surrogateescape") for word in words)]


def passed_variables(environ: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the bytes of variables: those of this process as they are, others in UTF-8.

    Raises:
        ValueError: A variable holds a surrogate that stands for no byte.
    """
    return {
        os.fsencode(name): os.fsencode(text)
        if os.environ.get(name) == text
        else text.encode("utf-8", "surrogateescape")
        for name, text in environ.items()
    }
