"""What takes typeguard's place leaves everything as it is."""

import os
import subprocess
import sys

from serving.runtime.feast_import import unchecked


def test_classes_and_functions_stay_what_they_are() -> None:
    class Marked:
        pass

    def marked(number: int) -> int:
        return number

    assert unchecked(Marked) is Marked
    assert unchecked(forward_ref_policy="ignore")(marked) is marked


def test_a_server_counts_in_memory_whoever_has_started_it() -> None:
    code = "import serving.runtime.feast_import, prometheus_client.values as values; print(values.ValueClass.__name__)"
    inherited = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": "/nowhere"}
    said = subprocess.run([sys.executable, "-c", code], env=inherited, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "MutexValue"
