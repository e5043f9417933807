"""TensorFlow with Keras 2, which TensorFlow Recommenders needs; everything in training imports them from here."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

# Read by TensorFlow and TFRS when they are imported, so it must come first; hence this module.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextmanager
def _without_native_log() -> Iterator[None]:
    """TensorFlow's C++ side writes four lines on absent GPUs before its log level is read; Python errors still show."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


with _without_native_log():
    import tensorflow as tf
    import tensorflow_recommenders as tfrs
    import tf2onnx
    import tf_keras as keras

__all__ = ["keras", "tf", "tf2onnx", "tfrs"]
