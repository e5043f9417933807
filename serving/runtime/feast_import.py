"""Takes two seconds off the start of a process that imports Feast; to be imported before it.

Feast marks its classes for typeguard, which parses and compiles each of them again to check types at run time: 40 % of
the CPU that importing Feast costs. What is passed to Feast here is checked by mypy and by tests.
"""

import sys
from typing import Any

import prometheus_client  # noqa: F401 - before Feast, which else has it count in files that processes share
import typeguard


def unchecked(target: Any = None, **options: Any) -> Any:
    """The class or function as it is, where typeguard.typechecked would rewrite it."""
    return target if target is not None else unchecked


if "feast" not in sys.modules:
    typeguard.typechecked = unchecked
