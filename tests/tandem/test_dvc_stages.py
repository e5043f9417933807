"""dvc.yaml against the code: each stage names every room that its command imports, so no edit leaves a stale result."""

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.repository import ROOT
from tests.support.suite.imports import closure_of, file_of, imports_of

COMMANDS = ROOT / "tandem" / "commands" / "pipeline.py"
STAGES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
PACKAGES = ("contracts", "training")
"""What a result is computed by. `tandem` is left out: it parses and prints, and what it prints is in no result."""
DEFINITIONS = ["feature_repo/feature_definitions.py", "feature_repo/feature_store.yaml"]


def used_by(command: str) -> set[Path]:
    """Files that the command's function imports itself, or through names that its module imports at the top."""
    module = ast.parse(COMMANDS.read_text())
    functions = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    top = {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in module.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    names, open_functions, seen = set[str](), {command.replace("-", "_")}, set[str]()
    while open_functions:
        name = open_functions.pop()
        seen.add(name)
        names |= set(imports_of(functions[name]))
        mentioned = {node.id for node in ast.walk(functions[name]) if isinstance(node, ast.Name)}
        for of in (top[word] for word in mentioned & top.keys()):
            names |= {of, of.rpartition(".")[0]}
        open_functions |= (mentioned & functions.keys()) - seen
    return {file for name in names if (file := file_of(name))}


def rooms_of(stage: dict[str, Any]) -> set[str]:
    """The rooms that a stage's command runs through: a folder or a module that lies directly in a package."""
    program, command = stage["cmd"].split()
    assert program == "tandem"
    files = closure_of(used_by(command))
    definitions = set[str]()
    if any(file.is_relative_to("training/feature_store") for file in files):  # Feast reads these two by their path
        hooks = re.findall(r"training\.[\w.]+(?=\.)", (ROOT / DEFINITIONS[1]).read_text())
        files = closure_of(files | {Path(DEFINITIONS[0])} | {file for hook in hooks if (file := file_of(hook))})
        definitions = set(DEFINITIONS)
    code = (file for file in files if file.parts[0] in PACKAGES and file.name != "__init__.py")
    return {"/".join(file.parts[:2]) for file in code} | definitions


def code_deps(stage: dict[str, Any]) -> set[str]:
    return {dep for dep in stage["deps"] if dep.split("/")[0] in PACKAGES or dep in DEFINITIONS}


BUILT = [name for name, stage in STAGES.items() if not stage.get("always_changed")]


def test_every_command_of_the_pipeline_is_a_stage() -> None:
    module = ast.parse(COMMANDS.read_text())
    commands = [
        node.name.replace("_", "-") for node in module.body if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]
    assert list(STAGES) == commands
    assert set(STAGES) - set(BUILT) == {"raw-files"}


@pytest.mark.parametrize("name", BUILT)
def test_a_stage_names_the_rooms_that_its_command_imports_and_no_others(name: str) -> None:
    assert sorted(code_deps(STAGES[name])) == sorted(rooms_of(STAGES[name]))


def test_what_a_deploy_does_not_change_is_not_trained_again() -> None:
    """Rooms by hand: the closure is neither everything nor nothing."""
    towers, evaluation = code_deps(STAGES["train-towers"]), code_deps(STAGES["evaluate"])
    assert {"training/retrieval", "training/dataset", "training/settings.py", "contracts/features"} <= towers
    assert towers.isdisjoint({"training/evaluation", "training/ranking", "training/release", "training/ingest"})
    assert {"training/evaluation", "training/metrics", "training/retrieval"} <= evaluation
    assert "training/ingest" in code_deps(STAGES["ingest"])
