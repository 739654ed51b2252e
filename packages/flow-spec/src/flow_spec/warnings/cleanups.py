"""Which steps clean up: by a word of their id, or by the program that they start (rule 11.2).

That is a guess, and so it is made only of steps that are proven to run whatever happens.
"""

import re

from flow_spec.step import StepSpec
from flow_spec.warnings.programs import name_of

_WORDS = frozenset({"clean", "cleanup", "tidy", "teardown", "unlock", "umount", "unmount"})
_PROGRAMS = frozenset({
    *("rm", "rmdir", "unlink", "shred", "umount", "kill", "pkill", "killall", "dropdb", "tmpwatch"),
    *("tmpreaper", "losetup", "fusermount"),
})  # fmt: skip
_VERBS = frozenset({"rm", "stop", "kill", "down", "destroy", "delete"})
_WITH_VERBS = frozenset({"docker", "podman", "docker-compose", "kubectl", "terraform", "vagrant"})


def cleans_up(step: StepSpec) -> bool:
    """Whether a step looks as if it cleans up."""
    if _WORDS & set(re.split(r"[-_]", step.id.lower())):
        return True
    words = step.command if step.script is None else tuple(step.script.split()[:3])
    program = name_of(words[0]) if words else ""
    return program in _PROGRAMS or (program in _WITH_VERBS and not _VERBS.isdisjoint(words[1:3]))
