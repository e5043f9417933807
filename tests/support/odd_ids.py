"""Ids of users that stumble over what a store compares with: its own functions, patterns, quotes or prefixes."""

from typing import Final

ODD_IDS: Final = (
    "anna", "anna\0berta", "anna\0", "\0anna", "\0",  # a function of C ends a text at its first NUL
    "ann", "anna ", " anna", "Anna", "ANNA", "anna1",
    "%", "ann%", "_nna", "ann_", "a*", "ann?", "[a]nna",  # patterns of LIKE and GLOB
    "'", "''", '"', '"anna"', "'anna", "\\", "\\\\", "anna\\", "\\u0000", "anna\\u0000berta",
    "=1+1", "'=1+2", "+491701234567", "-17", "@anna", "\tanna", "a\u0308", "\u00e4", "🙂", "🙂🙂", "anna\u2028",
    "anna\nberta", "anna\rberta", "anna\x85", "\ufeffanna", "\U0010ffff", "null", "1", "1.0", "01", "{}", "[]", "a:b",
)  # fmt: skip
