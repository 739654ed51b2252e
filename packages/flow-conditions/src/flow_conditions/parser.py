"""Reading a condition: one scan for the tokens, one shunting-yard pass over them.

The good path knows tokens only. Where a mistake stands, what it is called and what might have been
meant is worked out by `mistakes`, once there is one.
"""

from flow_conditions import mistakes
from flow_conditions.condition import Condition
from flow_conditions.grammar import AND, BINDING, CLOSE, DOT, NAME_START, NOT, OPEN, OR, TOKEN
from flow_conditions.vocabulary import PLAIN, Vocabulary


def parse(text: str, vocabulary: Vocabulary = PLAIN) -> Condition:
    """Return the condition that a text spells.

    Operands are names, with one of the vocabulary's predicates if any; `!` binds before `&&`, `&&`
    before `||`, and both associate to the left.

    Raises:
        ConditionSyntaxError: the text is no condition, or uses a predicate that does not exist.
    """
    program: list[str] = []
    waiting: list[str] = []  # operators whose right side is not complete, and open parentheses
    operand_is_next = True
    tokens = TOKEN.findall(text)
    for index, token in enumerate(tokens):
        if operand_is_next:
            if token in (NOT, OPEN):
                waiting.append(token)
            elif token[0] in NAME_START:
                if DOT in token and token.partition(DOT)[2] not in vocabulary.predicates:
                    raise mistakes.unknown_predicate(text, index, vocabulary)
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
        else:
            raise mistakes.no_operator(text, index, vocabulary)
    if operand_is_next:
        raise mistakes.no_operand(text, len(tokens), vocabulary)
    _complete(BINDING[OR], waiting, program)
    if waiting:
        raise mistakes.never_closed(text)
    return Condition(tuple(program))


def _complete(binding: int, waiting: list[str], program: list[str]) -> None:
    """Move to the program the operators since the last open parenthesis that bind as strongly."""
    while waiting and BINDING[waiting[-1]] >= binding:
        program.append(waiting.pop())
