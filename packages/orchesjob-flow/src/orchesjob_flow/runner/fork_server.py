"""The fork server that launches orchesjob, started before the run has been read.

Both take equally long, so the first call does not wait for the fork server. Once the run has been
recorded, the runner either takes the fork server, or closes it and starts another one.
"""

from collections.abc import Mapping

from orchesjob_client import ForkServer, OrchesjobError, leave_cgroups, locate
from orchesjob_flow.home.orchesjob_home import named_home
from orchesjob_flow.home.paths import ORCHESJOB_HOME, Settings


class EarlyForkServer:
    """A fork server that is started early and kept until a runner takes it."""

    def __init__(self, settings: Settings) -> None:
        """Start nothing yet."""
        self._settings = settings
        self._begun: ForkServer | None = None

    def begin(self, home: str) -> None:
        """Start it for a run whose jobs will be in this orchesjob home."""
        environ = self._settings.environ
        if environ.get(ORCHESJOB_HOME) or home != named_home(environ):
            environ = {**environ, ORCHESJOB_HOME: home}
        leave_cgroups(environ)  # as its runner will: it is useless in another cgroup
        try:
            executable = locate(self._settings.orchesjob, environ)
        except OrchesjobError:
            return  # the runner reports this
        self._begun = ForkServer(executable, environ)

    def take(self, executable: str, environ: Mapping[str, str]) -> ForkServer:
        """Return a launcher for these calls: the early one, if it can launch them."""
        begun, self._begun = self._begun, None
        if begun is not None:
            if begun.is_born_for(executable, environ):
                return begun
            begun.close()
        return ForkServer(executable, environ)

    def close(self) -> None:
        """End the fork server if no runner has taken it."""
        if self._begun is not None:
            self._begun.close()
