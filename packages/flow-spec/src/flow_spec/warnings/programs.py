"""What is known of programs: which read text as a program, and which only words.

Only the last part of a path counts: `/bin/sh` is `sh`. What is not known here is left alone.
"""

import re
from collections.abc import Iterator, Sequence

SHELLS = frozenset({
    *("sh", "bash", "dash", "zsh", "ksh", "mksh", "ash", "fish", "csh", "tcsh", "busybox"),
    *("pwsh", "powershell", "cmd", "cmd.exe", "nu", "elvish", "xonsh"),
})  # fmt: skip

ONLY_IN_SHELLS = frozenset({
    *("cd", "export", "source", "alias", "set", "unset", "umask", "ulimit"),
})  # fmt: skip
"""What changes a shell itself: a program of that name, which some systems have, does nothing."""

COMMANDS_OF_SHELLS = ONLY_IN_SHELLS | {
    *(".", "exit", "eval", "exec", "trap", "wait", "read", "shift", "local", "declare"),
    *("if", "for", "while", "until", "case", "function"),
}
"""What looks like a program and is a word of a shell."""

PASS_ON = frozenset({
    *("ssh", "mosh", "su", "runuser", "sudo", "doas", "script", "eval", "watch", "parallel"),
    *("docker", "podman", "nerdctl", "kubectl", "oc", "lxc", "vagrant", "tmux", "screen", "at"),
    *("systemd-run", "machinectl", "nsenter", "chroot", "pct", "fly", "heroku", "gcloud", "aws"),
    *("ansible", "ansible-playbook", "salt", "pssh", "pdsh", "clush", "hyperfine", "entr", "make"),
    *("gmake", "ninja", "just", "npm", "npx", "yarn", "pnpm", "concurrently", "xargs", "flatpak"),
    *("orchesjob", "orchesjob-flow", "systemctl", "crontab", "expect", "rsh", "envsubst", "curl"),
    *("wget", "httpie", "http", "xh"),
})  # fmt: skip
"""Programs that give words to a shell, or to another host, or have a language of their own."""

LANGUAGES = frozenset({
    *("awk", "gawk", "mawk", "nawk", "sed", "gsed", "perl", "ruby", "node", "deno", "bun", "php"),
    *("lua", "luajit", "R", "Rscript", "julia", "octave", "gnuplot", "bc", "dc", "expr", "test"),
    *("[", "[[", "find", "fd", "fdfind", "jq", "yq", "gojq", "xq", "dasel", "jmespath", "tclsh"),
    *("psql", "mysql", "mariadb", "sqlite3", "duckdb", "clickhouse-client", "mongosh", "mongo"),
    *("redis-cli", "cqlsh", "sqlplus", "sqlcmd", "bq", "snowsql", "trino", "presto", "influx"),
    *("xmlstarlet", "xmllint", "ffmpeg", "convert", "magick", "vim", "vi", "nvim", "emacs", "ed"),
    *("groovy", "scala", "clojure", "ghci", "ghc", "ocaml", "swift", "java", "jshell", "m4"),
    *("logcli", "promtool", "sox", "guile", "racket", "sbcl", "elixir", "iex", "erl", "tr"),
    *("numfmt", "date", "printf", "pandoc", "mlr", "xsv", "qsv", "csvsql", "csvgrep", "rename"),
})  # fmt: skip
"""Programs that read words in a language of their own, in which these characters mean something."""

SEARCHING = frozenset({
    *("grep", "egrep", "fgrep", "zgrep", "rg", "ag", "ack", "pgrep", "pkill"),
})  # fmt: skip
"""Programs of which one word is a pattern."""

TAKE_FILES = frozenset({
    *("ls", "cat", "rm", "cp", "mv", "ln", "touch", "chmod", "chown", "chgrp", "stat", "wc"),
    *("head", "tail", "gzip", "gunzip", "zcat", "bzip2", "bunzip2", "xz", "unxz", "zstd", "lz4"),
    *("md5sum", "sha1sum", "sha256sum", "sha512sum", "b2sum", "cksum", "du", "file", "mkdir"),
    *("rmdir", "shred", "diff", "cmp", "tac", "nl", "less", "more", "od", "xxd", "strings"),
    *("install", "dos2unix", "unlink", "truncate", "sort", "uniq", "paste", "cut", "split"),
})  # fmt: skip
"""Programs to which a word is the name of a file, as it stands."""

SEPARATING = frozenset({"sort", "cut", "paste", "head", "tail", "split", "uniq", "nl"})
"""Those of them whose options have values."""

COMPARING = frozenset({"expr", "test", "[", "[[", "tr", "bc", "dc", "jq", "yq", "awk", "gawk"})
"""Programs to which `|`, `<` and `>` may be words."""

WRAPPERS = frozenset({"env", "nice", "ionice", "nohup", "timeout", "setsid", "stdbuf", "time"})
"""Programs that start the one that is named behind their options."""

_PYTHON = re.compile(r"(?:python|pypy|ipython)[0-9.]*")


def name_of(word: str) -> str:
    """Return the name of the program that a word starts."""
    return word.rpartition("/")[2]


def is_shell(word: str) -> bool:
    """Whether a word starts a shell."""
    return name_of(word) in SHELLS


def has_language(word: str) -> bool:
    """Whether a word starts a program that reads text in a language, or passes words on."""
    name = name_of(word)
    return name in SHELLS | PASS_ON | LANGUAGES or bool(_PYTHON.fullmatch(name))


def texts_for_shells(words: Sequence[str]) -> Iterator[int]:
    """Yield the positions of the words that a shell reads as a program: what follows its `-c`."""
    for place, word in enumerate(words[:-2]):
        if is_shell(word):
            for after in range(place + 1, len(words) - 1):
                option = words[after]
                if not option.startswith(("-", "+")) and words[after - 1] not in {"-o", "-O", "+o"}:
                    break
                if re.fullmatch(r"-[a-zA-Z]*c[a-zA-Z]*", option):
                    yield after + 1
                    break
