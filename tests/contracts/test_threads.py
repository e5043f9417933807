"""Threads of numerical libraries sleep between products: the setting stands before the libraries load."""

import subprocess
import sys

import pytest

SAYS = """
import os, sys
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "numpy":
            print(os.environ.get("OPENBLAS_THREAD_TIMEOUT"), os.environ.get("OMP_WAIT_POLICY"))
sys.meta_path.insert(0, Watch())
import {package}, numpy
"""
UNSET = ("OPENBLAS_THREAD_TIMEOUT", "OMP_WAIT_POLICY")


@pytest.mark.parametrize("package", ["contracts", "serving", "training", "monitoring", "tandem", "benchmarks", "tests"])
def test_the_setting_is_there_when_numpy_loads(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    code = SAYS.format(package=package)
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["14", "PASSIVE"]


def test_what_an_operator_sets_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_THREAD_TIMEOUT", "26")
    code = SAYS.format(package="contracts")
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["26", "PASSIVE"]
