"""Reading a condition: one scan for the tokens, one shunting-yard pass over them.

A call of a quantifier looks like a name before a parenthesis, where otherwise no parenthesis can
stand; what it stands for goes into the program in the place of that name.

The good path knows tokens only. Where a mistake stands, what it is called and what might have been
meant is worked out by `mistakes`, once there is one.
"""

from collections.abc import Collection, Sequence

from flow_conditions import mistakes
from flow_conditions.condition import Condition
from flow_conditions.grammar import AND, BINDING, CLOSE, DOT, NAME_START, NOT, OPEN, OR, TOKEN
from flow_conditions.vocabulary import PLAIN, Vocabulary

TYPE_CHECKING = False  # type checkers take it for true; importing it would import all of typing
if TYPE_CHECKING:
    from flow_conditions.quantifier import Quantifier


def parse(text: str, vocabulary: Vocabulary = PLAIN, over: Collection[str] = ()) -> Condition:
    """Return the condition that a text spells.

    Operands are names, with one of the vocabulary's predicates if any; `!` binds before `&&`, `&&`
    before `||`, and both associate to the left. A call of one of the vocabulary's quantifiers is
    read as what it stands for over the names `over`.

    Raises:
        ConditionSyntaxError: the text is no condition, uses a predicate that does not exist, calls
            a quantifier although `over` is empty, or holds more calls than the vocabulary allows.
        InvalidNameError: a quantifier is called, and something in `over` is not a plain name.
    """
    program: list[str] = []
    waiting: list[str] = []  # operators whose right side is not complete, and open parentheses
    operand_is_next = True
    calls_left = vocabulary.max_calls if over else 0
    tokens = TOKEN.findall(text)
    numbered = enumerate(tokens)
    for index, token in numbered:
        if operand_is_next:
            if token in (NOT, OPEN):
                waiting.append(token)
            elif token[0] in NAME_START and (
                DOT not in token or token.partition(DOT)[2] in vocabulary.predicates
            ):
                program.append(token)
                operand_is_next = False
            else:
                raise mistakes.no_operand(text, index, vocabulary)
        elif token in (AND, OR):
            _complete(BINDING[token], waiting, program)
            waiting.append(token)
            operand_is_next = True
        elif token == CLOSE:
            _complete(BINDING[OR], waiting, program)
            if not waiting:
                raise mistakes.nothing_to_close(text, index)
            waiting.pop()
        elif token == OPEN and calls_left and (quantifier := _called(tokens, index, vocabulary)):
            calls_left -= 1
            _, predicate = next(numbered)
            program[-1:] = quantifier.over(over, predicate).program
            next(numbered)  # the closing parenthesis
        else:
            raise mistakes.no_operator(text, index, vocabulary, over)
    if operand_is_next:
        raise mistakes.no_operand(text, len(tokens), vocabulary)
    _complete(BINDING[OR], waiting, program)
    if waiting:
        raise mistakes.never_closed(text)
    return Condition(tuple(program))


def _called(tokens: Sequence[str], index: int, vocabulary: Vocabulary) -> "Quantifier | None":
    """Return the quantifier that the parenthesis at `index` calls with a predicate, if any."""
    argument, closing = tokens[index + 1 : index + 2], tokens[index + 2 : index + 3]
    if closing == [CLOSE] and argument[0] in vocabulary.predicates:
        return vocabulary.quantifier(tokens[index - 1])
    return None


def _complete(binding: int, waiting: list[str], program: list[str]) -> None:
    """Move to the program the operators since the last open parenthesis that bind as strongly."""
    while waiting and BINDING[waiting[-1]] >= binding:
        program.append(waiting.pop())
