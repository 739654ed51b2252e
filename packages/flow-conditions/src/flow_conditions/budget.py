"""`Budget`: how much work a question may take.

Work is counted in steps, never in time, so that an answer does not depend on the machine.
"""

from flow_conditions.errors import BudgetExceeded


class Budget:
    """A number of steps, which are spent one after the other."""

    def __init__(self, steps: int) -> None:
        """Begin with all of them."""
        self._steps = steps
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Count work before it is done.

        Raises:
            BudgetExceeded: it is more than is left.
        """
        self._left -= steps
        if self._left < 0:
            raise BudgetExceeded(self._steps)
