"""The files of a new workspace, out of the installed package or of the clone."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from contracts.errors import InvalidInput
from training.ingest.files.location import NO_DATA, TABLE_SUFFIXES, has_suffix
from training.ingest.guess.mapping import guessed_mapping
from training.ingest.guess.parts import joined
from training.ingest.guess.sample import UNSURE, sample

PACKED: Final = Path(__file__).parent / "workspace"
"""Where the wheel has them, see [tool.hatch.build] in pyproject.toml; a clone has them at its root."""
CLONE: Final = Path(__file__).parent.parent
FEATURE_REPO: Final = ("feature_repo/feature_definitions.py", "feature_repo/feature_store.yaml")
IGNORED: Final = "/data/\n/bundles/\n/erasures/\n/audit/\n/feature_repo/data/\n/mlruns/\n/mlflow.db\n__pycache__/\n"
TEXTS: Final = (".dat", ".txt", ".psv", ".log")
MAPPING: Final = "mapping.yaml"


@dataclass(frozen=True)
class Made:
    """What `make` wrote, what was there, raw files that it could not look at, and how many guesses are unsure."""

    written: tuple[str, ...]
    left: tuple[str, ...]
    passed_over: tuple[str, ...]
    unsure: int


def make(folder: Path, raw: list[Path]) -> Made:
    """Writes the workspace; no file that is there is changed.

    Raises InvalidInput for raw files of no kind that is read, or that lie in several folders.
    """
    files, others = _tables(raw)
    mapping = guessed_mapping(joined([sample(file) for file in files])) if files else ""
    contents = {name: _template(name) for name in FEATURE_REPO}
    contents |= {"params.yaml": _params(files), "dvc.yaml": _stages(), ".gitignore": IGNORED}
    if mapping:
        contents[MAPPING] = mapping
    left = tuple(name for name in contents if (folder / name).exists())
    written = tuple(name for name in contents if name not in left)
    for name in written:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents[name], encoding="utf-8")
    passed_over = tuple(path.name for path in others)
    return Made(written, left, passed_over, _unsure(mapping) if MAPPING in written else 0)


def _unsure(mapping: str) -> int:
    """The marked lines; the comment on top only names the mark."""
    mark = UNSURE.strip()
    return sum(mark in line and f"`{mark}`" not in line for line in mapping.splitlines())


def _tables(raw: list[Path]) -> tuple[list[Path], list[Path]]:
    """(files and folders of parts, files of no kind that is read). A folder of parts is a table by its own name."""
    found, others = [], []
    for path in raw:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        inside = [one for one in inside if not path.is_dir() or not one.name.startswith(NO_DATA)]
        if path.is_dir() and inside and all(one.is_dir() and "=" in one.name for one in inside):
            inside = [path]  # sales/day=2025-09-01/…: each folder is a part
        for one in inside:
            if one.is_dir():
                found += [one] if any(has_suffix(part.name, TABLE_SUFFIXES) for part in one.rglob("*")) else []
            elif one is path or has_suffix(one.name, TABLE_SUFFIXES):
                found.append(one)
            else:
                others.append(one)
    if raw and not found:
        texts = [one.name for one in others if one.suffix.lower() in TEXTS]
        more = f" If {', '.join(texts)} hold tables as text, end their names in .csv." if texts else ""
        raise InvalidInput(f"{', '.join(map(str, raw))} holds no file of {', '.join(TABLE_SUFFIXES)}.{more}")
    if len({one.absolute().parent for one in found}) > 1:
        raise InvalidInput("--from names files of several folders; ingest reads one folder: put them together.")
    return found, others


def _template(name: str) -> str:
    path = PACKED / name if PACKED.exists() else CLONE / name
    return path.read_text(encoding="utf-8")


def _params(files: list[Path]) -> str:
    if not files:
        return "# Every parameter has a default, see docs/how-to/your-data.md and training/settings.py.\n{}\n"
    folder = json.dumps(str(files[0].absolute().parent), ensure_ascii=False)
    return (
        "# Every other parameter has a default, see training/settings.py.\n"
        f"ingest:\n  adapter: ecommerce\n  path: {folder}\n  mapping: {MAPPING}\n"
    )


def _stages() -> str:
    """The pipeline's stages without the code among their inputs: that is installed, and no part of the workspace."""
    pipeline: dict[str, Any] = yaml.safe_load(_template("dvc.yaml"))
    for stage in pipeline["stages"].values():
        if "deps" in stage:
            stage["deps"] = [path for path in stage["deps"] if path.startswith(("data/", "feature_repo/"))]
    return yaml.safe_dump(pipeline, sort_keys=False, allow_unicode=True)
