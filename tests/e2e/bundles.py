"""Bundles for releases: one as good as the installed one, one that no server takes, and three that are bad in ways
that verification cannot see.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pyarrow.parquet as pq
from onnx import TensorProto, helper

from contracts.bundle.files import DISPLAY, GOLDEN, MANIFEST, MODEL_SIGNATURE, RANKER, REFERENCE, SIGNATURE
from contracts.bundle.golden import golden_from
from contracts.bundle.manifest import read_manifest, seal, write_bundle
from training.release.publish import publish

Change = Callable[[Path, dict[str, Any]], None]
"""Changes the files in a folder, and the manifest's fields."""
SLOW_SIDE = 2000
SLOW_PRODUCTS = 3
"""Rows of a square matrix; one product takes a third of a second on one core."""


def release(installed: Path, change: Change, url: str) -> str:
    """URL of the changed bundle: sealed by training's own code and published below url."""
    manifest = read_manifest(installed)
    with tempfile.TemporaryDirectory() as folder, write_bundle(Path(folder)) as temporary:
        shutil.copytree(installed, temporary, dirs_exist_ok=True)
        (temporary / MANIFEST).unlink()
        for signature in (SIGNATURE, MODEL_SIGNATURE):  # of what is changed
            (temporary / signature).unlink(missing_ok=True)
        fields = manifest.model_dump(
            exclude={"files", "bundle_version", "contract_version", "schema_hash", "manifest_sha256"}
        )
        change(temporary, fields)
        return publish(seal(temporary, **fields), url)


def good(folder: Path, fields: dict[str, Any]) -> None:
    """The same models; a smaller sample for drift makes it another version."""
    _shorten_sample(folder, 1)


def slow(folder: Path, fields: dict[str, Any]) -> None:
    """The same scores, a third of a second later: products of large matrices, added zero times."""
    model = onnx.load(str(folder / RANKER))
    graph, (output,) = model.graph, model.graph.output
    scores = f"{output.name}_fast"
    for node in graph.node:
        node.output[:] = [scores if name == output.name else name for name in node.output]
    graph.initializer.append(
        helper.make_tensor("heavy", TensorProto.FLOAT, [SLOW_SIDE, SLOW_SIDE], np.full(SLOW_SIDE**2, 1e-6, np.float32))
    )
    graph.initializer.append(helper.make_tensor("nothing", TensorProto.FLOAT, [], [0.0]))
    graph.node.extend(
        [
            # Seeded by the scores, so that it cannot be computed once and for all when the model is loaded.
            helper.make_node("ReduceMean", [scores], ["seed"], keepdims=0),
            helper.make_node("Add", ["heavy", "seed"], ["heavy_0"]),
            *(
                helper.make_node("MatMul", [f"heavy_{power}", "heavy"], [f"heavy_{power + 1}"])
                for power in range(SLOW_PRODUCTS)
            ),
            helper.make_node("ReduceMean", [f"heavy_{SLOW_PRODUCTS}"], ["weight"], keepdims=0),
            helper.make_node("Mul", ["weight", "nothing"], ["zero"]),
            helper.make_node("Add", [scores, "zero"], [output.name]),
        ]
    )
    onnx.save(model, str(folder / RANKER))


def without_titles(folder: Path, fields: dict[str, Any]) -> None:
    """A catalogue of which no answer can be written."""
    display = json.loads((folder / DISPLAY).read_text())
    display["title"] = [None] * len(display["title"])
    (folder / DISPLAY).write_text(json.dumps(display))


def empty(folder: Path, fields: dict[str, Any]) -> None:
    """A plan that proposes one item a user, which most have bought already: no source is left, so nothing is shown."""
    _shorten_sample(folder, 2)  # a version names files, and parameters alone would change none
    fields["hyper_parameters"]["ranker"] |= {"num_candidates": 1, "num_repeat": 0, "num_popular": 0}


def upside_down(folder: Path, fields: dict[str, Any]) -> None:
    """Scores of the wrong sign from the start, golden requests among them: full lists, of what fits worst."""
    model = onnx.load(str(folder / RANKER))
    (output,) = model.graph.output
    for node in model.graph.node:
        node.output[:] = [f"{name}_right" if name == output.name else name for name in node.output]
    model.graph.node.append(helper.make_node("Neg", [f"{output.name}_right"], [output.name]))
    onnx.save(model, str(folder / RANKER))
    golden = golden_from((folder / GOLDEN).read_bytes())
    (folder / GOLDEN).write_bytes(replace(golden, scores=-golden.scores).to_bytes())


def _shorten_sample(folder: Path, rows: int) -> None:
    table = pq.read_table(folder / REFERENCE)
    pq.write_table(table.slice(0, max(table.num_rows - rows, 1)), folder / REFERENCE)
