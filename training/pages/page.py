"""Sections as one HTML file that needs no network."""

from collections.abc import Sequence
from html import escape
from string import Template
from typing import Final

from plotly.io import to_html
from plotly.offline import get_plotlyjs

from training.pages.section import Chart, KeyFigure, Section

CONFIG: Final = {"displayModeBar": False}

STYLE: Final = """
:root { color-scheme: light; --ink: #26323d; --quiet: #64727f; --line: #e3e8ec; --accent: #2b6a99; }
* { box-sizing: border-box; }
body { margin: 0; background: #f5f7f9; color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1000px; margin: 0 auto; padding: 40px 20px 64px; }
h1 { font-size: 30px; line-height: 1.2; margin: 0 0 4px; letter-spacing: -0.01em; }
h2 { font-size: 20px; line-height: 1.3; margin: 0 0 16px; }
p { margin: 0; }
.about, .note, .detail { color: var(--quiet); }
.keys { display: grid; grid-template-columns: repeat(3, 1fr); gap: 1px; margin: 28px 0 20px; background: var(--line);
  border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
.keys div { background: #fff; padding: 16px 20px; }
.value { font-size: 26px; font-weight: 600; line-height: 1.2; font-variant-numeric: tabular-nums; }
.label { font-size: 14px; }
.detail, .note { font-size: 14px; }
nav { display: flex; flex-wrap: wrap; gap: 6px 18px; margin-bottom: 28px; font-size: 14px; }
a { color: var(--accent); text-decoration: none; }
a:hover, a:focus { text-decoration: underline; }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 24px 28px; margin-bottom: 20px;
  scroll-margin-top: 12px; }
figure { margin: 0 0 24px; overflow: hidden; }
figcaption { font-weight: 500; margin-bottom: 8px; max-width: 46em; }
dl { display: grid; grid-template-columns: repeat(2, 1fr); gap: 16px 32px; margin: 0 0 20px; }
dt { font-weight: 600; }
dd { margin: 2px 0 0; font-size: 15px; }
table { border-collapse: collapse; width: 100%; margin: 0 0 24px; font-size: 15px; }
td { border-bottom: 1px solid var(--line); padding: 6px 0; }
td + td { text-align: right; font-variant-numeric: tabular-nums; padding-left: 16px; }
.note { max-width: 52em; }
.said { margin: 0; padding: 0 0 0 1.1em; max-width: 46em; }
.said li + li { margin-top: 8px; }
@media (max-width: 640px) {
  main { padding: 24px 12px 40px; }
  .keys { grid-template-columns: repeat(2, 1fr); }
  .keys div { padding: 12px 14px; }
  .value { font-size: 21px; }
  section { padding: 18px 14px; }
  dl { grid-template-columns: 1fr; }
}
"""

# Plotly's own "responsive" hears only of the window, and not of a width that settles after the first drawing.
FIT: Final = """
const fit = new ResizeObserver((seen) => seen.forEach(({ target }) => Plotly.Plots.resize(target)));
document.querySelectorAll(".js-plotly-plot").forEach((plot) => fit.observe(plot));
"""

PAGE: Final = Template("""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>$title</title>
<style>$style</style>
<script>$plotly</script>
</head>
<body>
<main>
<header>
<h1>$title</h1>
<p class="about">$about</p>
<div class="keys">$keys</div>
<nav aria-label="Sections">$links</nav>
</header>
$sections
</main>
<script>$fit</script>
</body>
</html>
""")


def render(title: str, about: str, keys: Sequence[KeyFigure], sections: Sequence[Section]) -> str:
    """The whole page."""
    return PAGE.substitute(
        title=escape(title),
        about=escape(about),
        style=STYLE,
        plotly=get_plotlyjs(),
        fit=FIT,
        keys="".join(map(_key, keys)),
        links="".join(f'<a href="#{section.anchor}">{escape(section.title)}</a>' for section in sections),
        sections="\n".join(map(_section, sections)),
    )


def _text(text: str) -> str:
    """Escaped; a number stays on the line of its percent sign."""
    return escape(text).replace(" %", "&nbsp;%")


def _key(key: KeyFigure) -> str:
    return (
        f'<div><p class="value">{_text(key.value)}</p><p class="label">{escape(key.label)}</p>'
        f'<p class="detail">{_text(key.detail)}</p></div>'
    )


def _section(section: Section) -> str:
    rows = "".join(f"<tr><td>{escape(name)}</td><td>{_text(value)}</td></tr>" for name, value in section.rows)
    groups = "".join(
        f"<div><dt>{escape(group.name)}</dt><dd>{_text(group.description)}</dd></div>" for group in section.groups
    )
    said = "".join(f"<li>{_text(sentence)}</li>" for sentence in section.sentences)
    parts = [
        f"<h2>{escape(section.title)}</h2>",
        f'<ul class="said">{said}</ul>' if said else "",
        f"<table>{rows}</table>" if rows else "",
        *(_chart(chart, f"{section.anchor}-{number}") for number, chart in enumerate(section.charts, start=1)),
        f"<dl>{groups}</dl>" if groups else "",
        f'<p class="note">{_text(section.note)}</p>' if section.note else "",
    ]
    return f'<section id="{section.anchor}">' + "\n".join(part for part in parts if part) + "</section>"


def _chart(chart: Chart, name: str) -> str:
    """A name of its own makes the page the same for the same data."""
    drawn = to_html(
        chart.figure,
        config=CONFIG,
        include_plotlyjs=False,
        full_html=False,
        div_id=name,
        default_height=f"{chart.figure.layout.height}px",
    )
    return f"<figure><figcaption>{_text(chart.takeaway)}</figcaption>{drawn}</figure>"
