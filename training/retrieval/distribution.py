"""Several workers on one training run: each computes its share of every batch, against everybody's negatives.

TF_CONFIG says who takes part, as TensorFlow defines it: {"cluster": {"worker": ["host:port", …]}, "task": {"type":
"worker", "index": 0}}. Without it there is one worker, and nothing below changes what it computes.
"""

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from training.keras2 import tf

TF_CONFIG = "TF_CONFIG"


def strategy() -> tf.distribute.Strategy:
    """MultiWorkerMirroredStrategy where TF_CONFIG names several workers, else the one that does nothing.

    It must be made before TensorFlow has computed anything: it starts this worker's server.
    """
    if num_workers() == 1:
        return tf.distribute.get_strategy()
    # Rings over gRPC: the other choice, NCCL, is for GPUs alone.
    options = tf.distribute.experimental.CommunicationOptions(
        implementation=tf.distribute.experimental.CommunicationImplementation.RING
    )
    return tf.distribute.MultiWorkerMirroredStrategy(communication_options=options)


def num_workers() -> int:
    """Workers that TF_CONFIG names, one without it."""
    return len(_config().get("cluster", {}).get("worker", [])) or 1


def worker_index() -> int:
    """Which of them this process is; worker 0 writes what was trained."""
    return int(_config().get("task", {}).get("index", 0))


@contextmanager
def output(folder: Path) -> Iterator[Path]:
    """Where this worker writes: worker 0 into the folder. The others must write too, and theirs is forgotten.

    Exporting asks all workers for their part of the variables, so none of them may leave it out.
    """
    if worker_index() == 0:
        yield folder
        return
    with tempfile.TemporaryDirectory() as forgotten:
        yield Path(forgotten) / folder.name


def _config() -> dict[str, dict[str, Any]]:
    # The one place outside settings.py that reads a variable: TensorFlow reads the same one for itself.
    config: dict[str, dict[str, Any]] = json.loads(os.environ.get(TF_CONFIG) or "{}")
    return config


def own_first(rows: tf.Tensor) -> tf.Tensor:
    """[everybody's batch, …]: this worker's rows, then the others'. In-batch negatives are the rows after one's own.

    With one worker it is the rows themselves. Gradients flow back to the worker that a row came from.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return rows
    everybody = context.all_gather(tf.identity(rows), axis=0)  # a function's argument has no device, its copy has
    return tf.roll(everybody, -context.replica_id_in_sync_group * tf.shape(rows)[0], axis=0)
