"""A git repository with a hook that checks flow files."""

import os
import subprocess
from pathlib import Path

from support.deadlines import CALL_SEC
from support.flow import Flow


class Repository:
    """A git repository on its author's machine, and a pre-commit hook that is in force."""

    def __init__(self, flow: Flow, hook: str) -> None:
        self.folder = flow.folder / "shop"
        self.environ = {
            **flow.environ,
            "PATH": f"{Path(flow.program).parent}:{os.environ['PATH']}",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            **dict.fromkeys(("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"), "Me"),
            **dict.fromkeys(("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"), "me@example.com"),
        }
        self.folder.mkdir()
        self.git("init", "--quiet", "--template=")
        file = self.folder / ".git" / "hooks" / "pre-commit"
        file.parent.mkdir()
        file.write_text(hook, encoding="utf-8")
        file.chmod(0o755)

    def git(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call git in this repository."""
        return subprocess.run(
            ["git", *words],  # noqa: S607 - whichever there is
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=CALL_SEC,
        )

    def commit(self, path: str, text: str) -> subprocess.CompletedProcess[str]:
        """Write a file and commit it."""
        self.stage(path, text)
        return self.git("commit", "--quiet", "--message=Add a flow")

    def stage(self, path: str, text: str) -> None:
        """Write a file and have it in the next commit."""
        file = self.folder / path
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
        assert self.git("add", "--", path).returncode == 0
