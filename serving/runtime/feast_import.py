"""Takes two seconds off the start of a process that imports Feast; to be imported before it.

Feast marks its classes for typeguard, which parses and compiles each of them again to check types at run time: 40 % of
the CPU that importing Feast costs. What is passed to Feast here is checked by mypy and by tests.

Importing makes objects that stay. Python would look through them for garbage again and again: a sixth of what all the
imports of a server cost, and a fifth of TensorFlow's. A server counts as Python does once it is about to answer.
"""

import gc
import os
import sys
from typing import Any

# Feast has prometheus_client count in files that processes share, and hands that down to processes it has nothing to do
# with. One process serves, and files cost 2 % of a list's CPU: so without the variable, and before Feast.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)
import prometheus_client  # noqa: F401
import typeguard


def unchecked(target: Any = None, **options: Any) -> Any:
    """The class or function as it is, where typeguard.typechecked would rewrite it."""
    return target if target is not None else unchecked


GC_THRESHOLD = gc.get_threshold()
"""As Python has it, for once all is loaded."""
gc.set_threshold(50_000)
if "feast" not in sys.modules:
    typeguard.typechecked = unchecked
