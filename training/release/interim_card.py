"""The model card of a bundle that only serves until the evaluated one is there."""

from collections.abc import Mapping
from functools import partial
from html import escape

from training.release.bundle import Cards
from training.release.model_card import table

FEW_USERS = 500
"""Kept for drift: such a bundle serves for minutes."""


def interim_cards(words: str) -> Cards:
    """Writers of a card that says what the bundle is; how good it is, only the evaluated bundle's card says."""
    return Cards(partial(_markdown, words), partial(_page, words))


def _markdown(words: str, facts: Mapping[str, str]) -> str:
    return "\n\n".join(["# Model card", words, table(("", ""), [*facts.items()])]) + "\n"


def _page(words: str, facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{escape(value)}</td></tr>" for name, value in facts.items())
    head = '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Model card</title></head>'
    return f"{head}\n<body><h1>Model card</h1><p>{escape(words)}</p><table>{rows}</table></body></html>\n"
