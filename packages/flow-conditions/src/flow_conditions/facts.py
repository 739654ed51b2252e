"""What is seen of a condition without any search, in time proportional to its length.

Beside an operand in a row, the rest of the row knows what that operand is worth: in `a && (a || b)`
the parenthesis is true. This is idempotence, complement, absorption and unit propagation at any
distance, and leaves little for diagrams to do in the conditions that people write.
"""

from flow_conditions.descent import Descent, descend
from flow_conditions.exclusions import Groups, among, companions_of
from flow_conditions.rows import FALSE as NEVER
from flow_conditions.rows import TRUE as ALWAYS
from flow_conditions.rows import Rows


def read_once(rows: Rows, groups: Groups) -> bool:
    """Tell whether no operand occurs twice and none excludes another."""
    return len(rows.leaves()) == len(rows.occurring()) and not among(rows, groups)


def varies(rows: Rows, groups: Groups) -> bool:
    """Tell whether rows need no diagram to be seen to be neither always true nor never.

    That is so if no operand occurs with both signs and none excludes another: values that make all
    occurrences true make all rows true, and their opposites make them false.
    """
    leaves = set(rows.leaves())
    return (
        bool(leaves) and not any(leaf ^ 1 in leaves for leaf in leaves) and not among(rows, groups)
    )


def by_facts(rows: Rows, groups: Groups = ()) -> Rows:
    """Leave out what an operand beside it, or beside a row around it, decides already."""
    companions = companions_of(among(rows, groups))
    fresh = Rows(rows.operands)
    facts: set[int] = set()  # operands that are true, and with their sign those that are false

    def learn(fact: int) -> list[int]:
        """Take a fact and what follows from it, and return what was not known before."""
        learnt = [fact]
        if not fact & 1:
            learnt += [2 * other + 1 for other in companions.get(fact >> 1, ())]
            learnt = [each for each in learnt if each not in facts]
        facts.update(learnt)
        return learnt

    def reduced(number: int) -> Descent[int]:
        conjunctive = rows.conjunctive[number]
        opposite = NEVER if conjunctive else ALWAYS
        kept: list[int] = []
        learnt: list[int] = []
        for part in rows.members[number]:
            # In a row of `&&`, each part may take the others for true; of `||`, for false.
            fact = part if conjunctive else part ^ 1
            if part < 0:
                kept.append(part)
            elif fact ^ 1 in facts:
                facts.difference_update(learnt)
                return opposite
            elif fact not in facts:
                kept.append(part)
                learnt += learn(fact)
        for place, part in enumerate(kept):
            if part < 0:
                kept[place] = yield reduced(~part)
        facts.difference_update(learnt)
        return fresh.row(conjunctive, kept)

    fresh.root = rows.root if rows.root >= 0 else descend(reduced(~rows.root))
    return fresh
