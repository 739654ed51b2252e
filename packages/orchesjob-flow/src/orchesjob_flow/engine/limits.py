"""The bounds within which a runner works, as its caller has set them."""

import attrs

SHORTEST_CALL_SEC = 5.0  # what any call may take on a busy machine, however short the patience is
LONGEST_CALL_SEC = 15.0  # orchesjob itself waits up to 10 s for its database


@attrs.frozen
class Limits:
    """The bounds within which a runner works.

    `starts` is how many `orchesjob start` may be under way at once; `patience_sec` for how long a
    call may go unanswered, tries included; `poll_interval_sec` how stale polling may be.
    """

    starts: int = 2
    patience_sec: float = 60.0
    poll_interval_sec: float = 5.0

    @property
    def call_sec(self) -> float:
        """How long a call of orchesjob may take by itself before it is ended and made again.

        A quarter of the patience, within bounds: one call that hangs is not an orchesjob that hangs
        (rule 5.7).
        """
        return min(max(SHORTEST_CALL_SEC, self.patience_sec / 4), LONGEST_CALL_SEC)
