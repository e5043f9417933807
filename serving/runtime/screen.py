"""What libraries may write on the screen of a command or a server: nothing that is meant for their developers.

It imports nothing, so that it can come before the libraries do.
"""

import atexit
import logging
import os
import sys
from typing import Final

CHATTY: Final = (
    "feast",  # notes that its registry is read anew
    "py.warnings",  # what libraries hold against each other, as FastAPI does against KServe's ORJSONResponse
    "tensorflow",  # which of its own functions it was built without
    "tf2onnx",  # each node that it leaves as it is
)
"""Loggers of which only errors are shown. Feast resets the filters of warnings, so those are not enough."""


def keep_libraries_quiet() -> None:
    """For the whole process; to be called before it does anything."""
    end_quietly()
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.ERROR)


def end_quietly() -> None:
    """Leaves out what native code still writes to stderr once Python has ended.

    DuckDB's binding lists each object that was alive then, sixty lines after a server's or a test run's last word.
    """
    atexit.register(lambda: os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stderr__.fileno() if sys.__stderr__ else 2))
