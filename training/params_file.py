"""Reads params.yaml: what it leaves out has its default, and every fault of it is named at once."""

import logging
import math
from dataclasses import fields, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from contracts.errors import InvalidInput
from contracts.renamed_settings import RENAMED_SETTINGS
from contracts.yaml_keys import load
from training.settings import Loss, Recipe, Settings, TwoTowerSettings

log = logging.getLogger(__name__)

LOWEST = 1e-9
"""Numbers are positive unless their key is listed here."""
ZERO_MEANS_SOMETHING = frozenset(
    {"max_users", "max_dropped_share", "repeat_weight", "user_evenness", "id_dropout", "dropout", "seed",
     "fine_tune_epochs", "cross_layers", "num_popular", "num_engaged", "num_neighbours", "num_unseen_neighbours",
     "threads",
     "two_tower_weeks", "uniform_negatives", "hard_negatives", "sequence_share",
     "sequence_dropout", "encoder_dropout", "cart_weight", "like_weight", "view_weight",
     "engagement_weight", "distillation_weight", "cold_user_share"}
)  # fmt: skip


def load_settings(path: Path) -> Settings:
    """Settings of a params.yaml; a section or key left out has its default.

    Raises InvalidInput listing every unknown name, wrong type and impossible value at once.
    """
    raw = read_sections(path)
    faults: list[str] = []
    defaults = {f.name: getattr(Settings(), f.name) for f in fields(Settings)}
    faults += [f"section {name!r} is unknown; there are {', '.join(defaults)}" for name in raw.keys() - defaults.keys()]
    built = {name: _section(name, default, raw.get(name), faults) for name, default in defaults.items()}
    if faults:
        raise InvalidInput(f"{path} cannot be used: {'; '.join(sorted(faults))}.")
    return Settings(**built)


def read_sections(path: Path) -> dict[str, Any]:
    """What a params.yaml says, by section; an empty one says nothing. Raises InvalidInput where it cannot be read."""
    try:
        raw = load(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InvalidInput(
            f"There is no {path.name} in {path.parent.resolve()}. Name the folder that has one with --root, or make "
            "one: `tandem init FOLDER`; an empty one will do, because every parameter has a default."
        ) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"Cannot read the parameters in {path}: {error}") from error
    raw = {} if raw is None else raw
    if not isinstance(raw, dict):
        raise InvalidInput(f"{path} must hold sections with keys, like `two_tower: {{epochs: 5}}`, not {raw!r}.")
    return raw


def _section(name: str, defaults: Any, values: Any, faults: list[str]) -> Any:
    if values is None:
        return defaults
    if name == "two_tower" and values in list(Recipe):  # two_tower: auto
        values = {"recipe": values}
    if not isinstance(values, dict):
        faults.append(f"section {name!r} is {values!r}, expected keys with values")
        return defaults
    known = {f.name: getattr(defaults, f.name) for f in fields(defaults)}
    values = _with_new_names(name, values, faults)
    accepted: dict[str, Any] = {}
    for key, value in values.items():
        if key not in known:
            faults.append(f"{name}.{key} is unknown; there are {', '.join(known)}")
        elif fault := _fault(key, value := _like(value, known[key]), known[key]):
            faults.append(f"{name}.{key} is {value!r}, {fault}")
        else:
            accepted[key] = value
    section = replace(defaults, **accepted)
    faults += _of_side_features(section) if isinstance(section, TwoTowerSettings) else []
    return section


def _of_side_features(section: TwoTowerSettings) -> list[str]:
    """What is set and does not go with side features."""
    faults = list[str]()
    if section.loss is Loss.FULL and section.side_features:
        faults.append(
            "two_tower.loss is 'full' with side features; set side_features: false, because item statistics differ by "
            "moment and this softmax has one catalogue a step"
        )
    if section.item_bias and section.side_features:
        faults.append(
            "two_tower.item_bias is for towers without side features; leave it out, because with them numbers of the "
            "embedding say how popular an item is"
        )
    return faults


def _with_new_names(section: str, values: dict[str, Any], faults: list[str]) -> dict[str, Any]:
    """The section with each old key under its new name; a warning names it."""
    renamed = dict(values)
    for old, new in RENAMED_SETTINGS.get(section, {}).items():
        if old in values and new in values:
            faults.append(f"{section}.{old} is the old name of {section}.{new} and both are set; leave {old} out")
        elif old in values:
            log.warning("%s.%s is now called %s; the next version will not read the old name.", section, old, new)
            renamed[new] = values[old]
        renamed.pop(old, None)
    return renamed


def _like(value: Any, default: Any) -> Any:
    """YAML's spelling in Python's type: a list for a tuple, an integer for a float, a name for a choice."""
    if isinstance(default, StrEnum) and value in list(type(default)):
        return type(default)(value)
    if isinstance(default, tuple) and isinstance(value, list):
        return tuple(value)
    return float(value) if isinstance(default, float) and type(value) is int else value


def _fault(key: str, value: Any, default: Any) -> str | None:
    """What is wrong with a value, or None."""
    if isinstance(default, StrEnum) and not isinstance(value, StrEnum):
        return f"expected one of {', '.join(type(default))}"
    kinds = {type(element) for element in value} if isinstance(value, tuple) else {type(value)}
    expected = {type(element) for element in default} if isinstance(default, tuple) else {type(default)}
    if type(value) is not type(default) or not kinds <= expected:
        return f"expected {type(default).__name__} like {default!r}"
    if isinstance(value, bool):
        return None
    numbers = value if isinstance(value, tuple) else (value,)
    lowest = 0 if key in ZERO_MEANS_SOMETHING else LOWEST
    if any(isinstance(n, int | float) and not lowest <= n < math.inf for n in numbers):
        return f"expected {'0 or more' if lowest == 0 else 'more than 0'}, and finite"
    return "expected a name" if value == "" and default != "" else None
