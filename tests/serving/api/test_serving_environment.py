"""What the serving environment installs and what the server imports: no TensorFlow, no Evidently, no pipeline."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

LOCK = Path(__file__).resolve().parents[3] / "locks" / "serving.txt"
ABSENT = ("duckdb", "dvc", "evidently", "ibis_framework", "mlflow", "tensorflow", "tf_keras")


def test_the_serving_lock_has_no_training_or_monitoring_library() -> None:
    locked = {name.lower().replace("-", "_") for name in re.findall(r"^([A-Za-z0-9_.-]+)==", LOCK.read_text(), re.M)}
    assert {"kserve", "feast", "faiss_cpu", "onnxruntime"} <= locked
    assert [name for name in locked if name.startswith(ABSENT)] == []


@pytest.mark.server
def test_the_server_imports_none_of_them_even_where_they_are_installed() -> None:
    modules = {"ibis" if name == "ibis_framework" else name for name in ABSENT}
    code = f"import sys, serving.__main__; print(sorted({modules!r} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
