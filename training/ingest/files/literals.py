"""Lists and objects as texts: JSON, or what Python prints, which pandas writes into a CSV in its place."""

import ast
import re
import warnings
from collections.abc import Sequence
from typing import Any

from training.ingest.files.json_lines import Digits, keys_once, parsed

ONE_TEXT = re.compile(r"""[A-Za-z]{0,2}(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")""", re.DOTALL)
"""Python takes ['a' 'b'], as numpy prints two texts, for the one text ab."""


def nested_value(text: str) -> Any:
    """What the text says, with numbers as their own digits; an object that has a key twice is Repeated.

    Raises ValueError for text that is neither.
    """
    try:
        return parsed(text)
    except ValueError:
        if text.lstrip()[:1] not in ("[", "{", "("):
            raise
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that Python does not know
            return _value(ast.parse(text.strip(), mode="eval").body, re.split(rb"\r\n|\r|\n", text.strip().encode()))
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("neither JSON nor Python") from error


def _value(node: ast.expr, lines: Sequence[bytes]) -> Any:
    """What the node says. lines: of the source, in which numbers stand as they were written."""
    match node:
        case ast.List() | ast.Tuple():
            return [_value(one, lines) for one in node.elts]
        case ast.Dict():
            pairs = zip(node.keys, node.values, strict=True)
            return keys_once([(_key(key, lines), _value(one, lines)) for key, one in pairs])
        case ast.Constant(value=bool() | None as value):
            return value
        case ast.Constant(value=str() as value) if ONE_TEXT.fullmatch(_written(node, lines)):
            return value
        case ast.Constant(value=int() | float()):
            return Digits(_written(node, lines))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float()) as number):
            return Digits(f"-{_written(number, lines)}")
        case ast.Name(id="nan"):  # as pandas prints what is missing
            return None
    raise ValueError("an expression")


def _written(node: ast.expr, lines: Sequence[bytes]) -> str:
    """The node's source: ast.get_source_segment would part the whole text into lines for each node."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    of_node = [*lines[first:last], lines[last][: node.end_col_offset]]
    return b"\n".join([of_node[0][node.col_offset :], *of_node[1:]]).decode()


def _key(node: ast.expr | None, lines: Sequence[bytes]) -> str:
    key = None if node is None else _value(node, lines)
    if not isinstance(key, str):
        raise ValueError("a key that is no text")
    return str(key)
