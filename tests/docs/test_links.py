"""Links between the documents: `make docs` checks its pages, this also the files that GitHub shows."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    {path for pattern in ("*.md", "docs/**/*.md", "k8s/*.md", "terraform/*.md") for path in ROOT.glob(pattern)}
)
CODE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?P<file>[^)\s#]*)(?:#(?P<heading>[^)\s]+))?\)")


def headings_of(document: Path) -> set[str]:
    """The headings as links name them: lower case, `-` for spaces, no punctuation."""
    text = CODE.sub("", document.read_text(encoding="utf-8"))
    return {
        re.sub(r"[^\w\- ]", "", line).strip().lower().replace(" ", "-")
        for line in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    lost = []
    for link in LINK.finditer(CODE.sub("", document.read_text(encoding="utf-8"))):
        target = document.parent / link["file"] if link["file"] else document
        if link["file"].startswith(("http:", "https:")):
            continue
        if not target.exists() or (
            link["heading"] and target.suffix == ".md" and link["heading"] not in headings_of(target)
        ):
            lost.append(link.group())
    assert not lost


def test_the_first_page_names_every_page_or_the_index_that_does() -> None:
    pages = re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2])
    for index in ("index.md", "experiments/index.md", "adr/index.md"):
        folder = (ROOT / "docs" / index).parent
        named = {
            (folder / link["file"]).resolve() for link in LINK.finditer((ROOT / "docs" / index).read_text("utf-8"))
        }
        inside = str(Path(index).parent)
        theirs = [page for page in pages if page != index and (inside == "." or page.startswith(f"{inside}/"))]
        if inside == ".":
            theirs = [
                one for one in theirs if not one.startswith(("experiments/", "adr/")) or one.endswith("/index.md")
            ]
        assert theirs and not [page for page in theirs if (ROOT / "docs" / page).resolve() not in named]
