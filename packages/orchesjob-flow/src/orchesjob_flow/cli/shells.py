"""How bash, zsh and fish ask what TAB offers, and how the answer is quoted for them (rule 9.15).

The scripts are not click's, so an installed one does not depend on click's version. `completion`
decides what is offered.
"""

import os
import re
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

from orchesjob_flow.home.paths import UNPRINTABLE

LINE, WORD = "_ORCHESJOB_FLOW_LINE", "_ORCHESJOB_FLOW_WORD"
"""Variables in which a script passes the line up to the cursor, and the text that it replaces."""

PART = re.compile(
    r"""(?P<space>\s+)|\\(?P<escaped>.?)|'(?P<single>[^']*)(?P<end1>'?)"""
    r"""|"(?P<double>(?:[^"\\]|\\.)*)\\?(?P<end2>"?)|(?P<plain>.)""",
    re.DOTALL,
)
ESCAPED_IN_DOUBLE_QUOTES = re.compile(r'\\([$`"\\])')
SPECIAL = re.compile(r"[^\w@%+=:,./-]")


class Typed(NamedTuple):
    """A command line as far as it is typed: whole words, and the last one, which may be empty.

    `quote` is the quotation mark that is still open, or nothing.
    """

    words: list[str]
    last: str
    quote: str


def read_line(line: str) -> Typed:
    r"""Split a line as a shell does, without expanding anything.

    >>> read_line("status --run-key 'a b' c\\ d")
    Typed(words=['status', '--run-key', 'a b'], last='c d', quote='')
    >>> read_line('logs "a')
    Typed(words=['logs'], last='a', quote='"')
    """
    words: list[str] = []
    last: str | None = None
    quote = ""
    for part in PART.finditer(line):
        if part["space"]:
            words += [] if last is None else [last]
            last = None
            continue
        last = (last or "") + text_of(part)
        if part["single"] is not None:
            quote = "" if part["end1"] else "'"
        elif part["double"] is not None:
            quote = "" if part["end2"] else '"'
    return Typed(words, last or "", quote)


def text_of(part: re.Match[str]) -> str:
    """Return what a part of a word means."""
    if part["double"] is not None:
        return ESCAPED_IN_DOUBLE_QUOTES.sub(r"\1", part["double"])
    return str(
        next(part[name] for name in ("escaped", "single", "plain") if part[name] is not None)
    )


def quoted_for_bash(text: str, quote: str) -> str:
    r"""Spell a text for bash, after an open quotation mark, which bash closes, or after none.

    >>> print(quoted_for_bash("a $(b)", ""), quoted_for_bash("a $(b)", '"'))
    a\ \$\(b\) a \$(b)
    """
    match quote:
        case "'":
            return text.replace("'", r"'\''")
        case '"':
            # A backslash before an exclamation mark would stay there.
            return re.sub(r'([$`"\\])', r"\\\1", text).replace("!", "\"'!'\"")
        case _:
            return SPECIAL.sub(r"\\\g<0>", text)


def is_printable(text: str) -> bool:
    """Whether a text has no character that could end a line or move a cursor."""
    return not any(unicodedata.category(character) in UNPRINTABLE for character in text)


class Shell(ShellComplete):
    """A shell whose script passes the line up to the cursor, and reads one candidate a line."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the whole words after the program's name, and the one that is being typed."""
        typed = read_line(os.environ.get(LINE, ""))
        return typed.words[1:], typed.last

    def complete(self) -> str:
        """Return the candidates, one a line; none that could be two lines."""
        args, incomplete = self.get_completion_args()
        option, equals, _ = incomplete.partition("=")
        led = option + equals if equals and option.startswith("--") else ""
        items = self.get_completions(args, incomplete)
        return "\n".join(self.lines(items, led))

    def lines(self, items: list["CompletionItem[str]"], led: str) -> Iterator[str]:
        """Yield a line for each candidate; `led` goes before its value."""
        for item in items:
            if item.type != "plain":
                yield item.type
            elif is_printable(item.value) and is_printable(item.help or ""):
                yield self.format_completion(CompletionItem(led + item.value, help=item.help))

    def format_completion(self, item: "CompletionItem[str]") -> str:
        """Write a whole word as it is, which the shell itself quotes, and a remark after a tab."""
        return f"plain,{item.value}\t{item.help or ''}"


class Bash(Shell):
    """bash, which inserts candidates as they are."""

    name = "bash"
    source_template = f"""\
%(complete_func)s() {{
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        case $candidate in
            plain,*) COMPREPLY+=("${{candidate#plain,}}") ;;
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
        esac
    done < <(
        {LINE}="${{COMP_LINE:0:COMP_POINT}}" {WORD}="$2" \\
            %(complete_var)s=bash_complete "$1" 2> /dev/null
    )
    # What follows NAME= belongs to the same word.
    [[ ${{#COMPREPLY[@]}} != 1 || $COMPREPLY != *= ]] || compopt -o nospace 2> /dev/null
}}

complete -o nosort -F %(complete_func)s %(prog_name)s 2> /dev/null ||
    complete -F %(complete_func)s %(prog_name)s
"""

    def format_completion(self, item: "CompletionItem[str]") -> str:
        """Write what bash is to insert instead of the text that it replaces.

        That text may be only the end of a word: bash breaks words at `=` and `:` as well.
        """
        line, replaced = os.environ.get(LINE, ""), os.environ.get(WORD, "")
        kept = read_line(line.removesuffix(replaced))
        return f"plain,{quoted_for_bash(item.value[len(kept.last) :], kept.quote)}"


class Zsh(Shell):
    """zsh, whose `compadd` quotes candidates."""

    name = "zsh"
    source_template = f"""\
#compdef %(prog_name)s

%(complete_func)s() {{
    local line
    local -a values remarks
    (( $+commands[%(prog_name)s] )) || return 1
    while IFS= read -r line; do
        case $line in
            plain,*)
                line=${{line#plain,}}
                values+=("${{line%%%%$'\\t'*}}")
                remarks+=("${{line/$'\\t'/  }}")
                ;;
            dir) _path_files -/ ;;
            file) _path_files ;;
        esac
    done < <(
        {LINE}="${{(j: :)words[1,CURRENT]}}" %(complete_var)s=zsh_complete \\
            %(prog_name)s 2> /dev/null
    )
    (( $#values )) && compadd -V unsorted -l -d remarks -a values
}}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


class Fish(Shell):
    """fish, which quotes candidates."""

    name = "fish"
    source_template = f"""\
function %(complete_func)s
    set -l typed (commandline -cp | string join ' ')
    for line in (env {LINE}=$typed %(complete_var)s=fish_complete %(prog_name)s 2> /dev/null)
        switch $line
            case 'plain,*'
                string sub --start 7 -- $line
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
        end
    end
end

complete --no-files --keep-order --command %(prog_name)s --arguments '(%(complete_func)s)'
"""


SHELLS: dict[str, type[Shell]] = {shell.name: shell for shell in (Bash, Zsh, Fish)}


def register() -> None:
    """Let click answer these shells in our way."""
    for shell in SHELLS.values():
        add_completion_class(shell)
