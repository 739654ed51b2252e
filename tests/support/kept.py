"""What runs have left, kept so that each test of a module finds it as it was."""

import shutil

from support.flow import Flow


class Kept:
    """The homes and the environment of a flow as they are now, to which it can go back.

    The homes come back at their own places, since runs record where they are.
    """

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._environ = dict(flow.environ)
        self._copies = flow.folder / "kept"
        self._homes = (flow.home, flow.orchesjob.home)
        flow.orchesjob.end_all()  # a copy is of what nobody is writing
        for home in self._homes:
            shutil.copytree(home, self._copies / home.name)

    def put_back(self) -> Flow:
        """Take back all that was changed since, and return the flow."""
        for home in self._homes:
            shutil.rmtree(home)
            shutil.copytree(self._copies / home.name, home)
        self._flow.environ = dict(self._environ)
        return self._flow
