"""Lists and objects as texts: JSON, or what Python prints, which pandas writes into a CSV in its place."""

import ast
import warnings
from typing import Any

from training.ingest.files.json_lines import Digits, keys_once, parsed


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
            return _value(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("neither JSON nor Python") from error


def _value(node: ast.expr) -> Any:
    match node:
        case ast.List() | ast.Tuple():
            return [_value(one) for one in node.elts]
        case ast.Dict():
            return keys_once([(_key(key), _value(one)) for key, one in zip(node.keys, node.values, strict=True)])
        case ast.Constant(value=str() | bool() | None as value):
            return value
        case ast.Constant(value=int() | float() as number):
            return Digits(repr(number))
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return Digits(f"-{number!r}")
        case ast.Name(id="nan"):  # as pandas prints what is missing
            return None
    raise ValueError("an expression")


def _key(node: ast.expr | None) -> str:
    key = None if node is None else _value(node)
    if not isinstance(key, str):
        raise ValueError("a key that is no text")
    return str(key)
