"""Names of the compared lists for people: on the screen, on the model card and in the gate's claims."""

from typing import Final

NAMES: Final = {
    "popularity": "bestsellers of the year",
    "recent_popularity": "bestsellers of the last 28 days",
    "p_top_freq": "own habits",
    "gp_top_freq": "own habits, then bestsellers",
    "ease": "item-to-item weights alone",
    "two_tower": "two towers alone",
    "final_list": "Tandem's list",
    "champion": "the list that serves today",
}


def named(name: str) -> str:
    """A list in words."""
    return NAMES.get(name, name.replace("_", " "))
