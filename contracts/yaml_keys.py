"""YAML that people write, where a key that a mapping has twice is a fault: PyYAML keeps the last and says nothing."""

from typing import Any

import yaml


class _KeysOnce:
    """Mixed into a loader of PyYAML.

    Keys are compared as they are written. What `<<` brings in is merged later, and may well be said again.
    """

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)  # type: ignore[misc]  # of the loader behind
        seen: set[tuple[str, str]] = set()
        for key, _value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if (key.tag, key.value) in seen:
                raise yaml.MarkedYAMLError(problem=f"the key {key.value!r} is there twice", problem_mark=key.start_mark)
            seen.add((key.tag, key.value))
        return node


class _Values(_KeysOnce, yaml.SafeLoader):
    pass


class _Texts(_KeysOnce, yaml.BaseLoader):
    pass


def load(text: str) -> Any:
    """What the YAML says, with numbers, switches and days.

    Raises yaml.YAMLError for anything that cannot be read, a key that is there twice included.
    """
    return _loaded(text, _Values)


def load_texts(text: str) -> Any:
    """What the YAML says, each scalar as the text that was written: `on` stays a text, and 007 keeps its noughts.

    Raises as `load` does.
    """
    return _loaded(text, _Texts)


def _loaded(text: str, loader: type[_Values | _Texts]) -> Any:
    try:
        return yaml.load(text, loader)  # noqa: S506 - both make plain values alone
    except (ValueError, RecursionError) as error:  # of 2024-02-30, of 5,000 digits; of lists in lists in lists
        raise yaml.YAMLError(str(error)) from error
