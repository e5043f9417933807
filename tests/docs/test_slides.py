"""The presentation: short, and every slide with a topic and a headline."""

import re
from pathlib import Path

SLIDES = Path(__file__).resolve().parents[2] / "docs" / "presentation" / "slides.md"


def test_there_are_at_most_fifteen_slides_and_each_has_a_topic_and_a_headline() -> None:
    _front_matter, _style, *slides = re.split(r"^---\n", SLIDES.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert 2 <= len(slides) <= 15
    for slide in slides[1:]:
        without_code = re.sub(r"^```.*?^```", "", slide, flags=re.MULTILINE | re.DOTALL)
        assert re.findall(r"^(#+) ", without_code, re.MULTILINE) == ["##", "#"], slide
