"""The helper that launches orchesjob, begun before its run has even been read.

Both take as long, so that the first call need not wait for the helper. Whether it is the right one
is known when the run has been recorded; otherwise it is closed, and the runner has one of its own.
"""

from collections.abc import Callable, Mapping

from orchesjob_client import ForkServer, OrchesjobError, leave_cgroups, locate
from orchesjob_flow.home.orchesjob_home import named_home
from orchesjob_flow.home.paths import ORCHESJOB_HOME, Settings

type GetLauncher = Callable[[str, Mapping[str, str]], ForkServer]
"""What gives a runner its launcher, for an executable and the environment of the run's calls."""


class EarlyForkServer:
    """A helper that was begun early, until a runner takes it."""

    def __init__(self, settings: Settings) -> None:
        """Begin nothing yet."""
        self._settings = settings
        self._begun: ForkServer | None = None

    def begin(self, home: str) -> None:
        """Begin it for a run whose jobs will be in this home of orchesjob."""
        environ = self._settings.environ
        if environ.get(ORCHESJOB_HOME) or home != named_home(environ):
            environ = {**environ, ORCHESJOB_HOME: home}
        leave_cgroups(environ)  # as its runner will: in another cgroup it would be of no use
        try:
            executable = locate(self._settings.orchesjob, environ)
        except OrchesjobError:
            return  # the runner says so
        self._begun = ForkServer(executable, environ)

    def take(self, executable: str, environ: Mapping[str, str]) -> ForkServer:
        """Return a launcher for these calls: the one that was begun, if it can launch them."""
        begun, self._begun = self._begun, None
        if begun is not None:
            if begun.is_born_for(executable, environ):
                return begun
            begun.close()
        return ForkServer(executable, environ)

    def close(self) -> None:
        """End the helper that nobody has taken."""
        if self._begun is not None:
            self._begun.close()
