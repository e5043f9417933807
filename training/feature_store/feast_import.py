"""Feast without its checks of types at run time; the pipeline imports it from here.

Feast marks its classes for typeguard, which parses and compiles each of them again: half of the CPU that importing
Feast costs, in every command. serving/runtime/feast_import.py does the same for servers.
"""

import typeguard

typeguard.typechecked = lambda target: target  # type: ignore[assignment]  # Feast marks without options

from feast import Entity, FeatureService, FeatureStore, FeatureView  # noqa: E402 - after the line above

__all__ = ["Entity", "FeatureService", "FeatureStore", "FeatureView"]
