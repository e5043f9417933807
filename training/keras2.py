"""TensorFlow with Keras 2, which TensorFlow Recommenders needs; everything in training imports them from here."""

import os

# Read by TensorFlow and TFRS when they are imported, so it must come first; hence this module.
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")

import tensorflow as tf
import tensorflow_recommenders as tfrs
import tf2onnx
import tf_keras as keras

__all__ = ["keras", "tf", "tf2onnx", "tfrs"]
