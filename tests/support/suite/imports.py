"""What a file of this repository imports, read from its text: nothing is loaded."""

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.support.repository import ROOT


def imports_of(node: ast.AST, *, lazy: bool = True) -> Iterator[str]:
    """Dotted names imported anywhere below a node, but for those that only a type checker reads.

    Without `lazy`, imports inside functions are left out.
    """
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.expr):
            continue  # half of all nodes, and none of them imports
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and not lazy:
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom) and child.module:
            yield child.module
            yield from (f"{child.module}.{alias.name}" for alias in child.names)
        else:
            yield from imports_of(child, lazy=lazy)


@cache
def file_of(name: str) -> Path | None:
    """The file of a module of this repository, from its root."""
    path = Path(*name.split("."))
    found = [file for file in (path.with_suffix(".py"), path / "__init__.py") if (ROOT / file).is_file()]
    return found[0] if found else None


@cache
def names_in(file: Path, *, lazy: bool = True) -> frozenset[str]:
    """Dotted names that a file of this repository imports."""
    return frozenset(imports_of(ast.parse((ROOT / file).read_text()), lazy=lazy))


@cache
def imported_by(file: Path, *, lazy: bool = True) -> frozenset[Path]:
    """Files of this repository that one of its files imports."""
    return frozenset(found for name in names_in(file, lazy=lazy) if (found := file_of(name)))


def closure_of(start: Iterable[Path], *, lazy: bool = True) -> set[Path]:
    """The files and all that they import, to the end."""
    seen: set[Path] = set()
    open_files = set(start)
    while open_files:
        file = open_files.pop()
        seen.add(file)
        open_files |= imported_by(file, lazy=lazy) - seen
    return seen
