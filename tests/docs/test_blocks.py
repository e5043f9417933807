"""Shell blocks in the documents run, or say why they are not run."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.each import each

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL)
REASON = re.compile(r"<!-- not run: (?P<reason>[^>]+?) -->\s*\Z")
BASH = shutil.which("bash") or "bash"
SHELL = ("bash", "sh", "console", "shell")


@dataclass(frozen=True)
class Block:
    """One fenced block in a shell's language. reason: why it is not run, or empty."""

    page: Path
    line: int
    body: str
    reason: str


def blocks_of(page: Path) -> list[Block]:
    """The shell blocks of a page, in order, with their indentation taken off."""
    text, found = page.read_text(encoding="utf-8"), []
    for fence in FENCE.finditer(text):
        if fence["language"] not in SHELL:
            continue
        body = "\n".join(line.removeprefix(fence["indent"]) for line in fence["body"].splitlines())
        reason = REASON.search(text[: fence.start()])
        found.append(Block(page, text.count("\n", 0, fence.start()) + 1, body, reason["reason"] if reason else ""))
    return found


NOT_ASKED = (ROOT / "docs" / "reference", ROOT / "docs" / "presentation")  # what the code says, and slides
PAGES = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "k8s/*.md", "terraform/*.md")
    for path in ROOT.glob(pattern)
    if not any(path.is_relative_to(folder) for folder in NOT_ASKED)
)
RUN = [page for page in PAGES if any(not block.reason for block in blocks_of(page))]


def test_there_are_blocks_that_run_and_reasons_for_the_others() -> None:
    blocks = [block for page in each(PAGES) for block in blocks_of(page)]
    assert sum(not block.reason for block in blocks) >= 5
    assert all(len(block.reason) > 10 for block in blocks if block.reason)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_block_names_its_language(page: Path) -> None:
    """Or commands could stand in it that nobody runs."""
    assert all(fence["language"] for fence in FENCE.finditer(page.read_text(encoding="utf-8")))


@pytest.mark.docs
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_blocks_of_a_page_run_in_order(page: Path, tmp_path: Path) -> None:
    """One shell for the page, in an empty folder; it stops at the first command that fails."""
    script = "\n".join(block.body for block in blocks_of(page) if not block.reason)
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
    }
    done = subprocess.run(
        [BASH, "-euo", "pipefail", "-c", script],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
