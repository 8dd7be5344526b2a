"""`python -m tools.dashboard` draws docs/dashboard.svg: the dashboard of template.yaml in CloudWatch's layout, with
titles and legends and without any data."""

import json
import re
from collections.abc import Iterator
from html import escape
from typing import Any

from tools.template import ROOT, Stack

PICTURE = ROOT / "docs" / "dashboard.svg"
COLUMNS = 24
COLUMN, ROW = 45, 36
"""Pixels."""

ALARMS_IN_A_ROW = 5
INK, QUIET, GRID, PAPER, OK = "#16191f", "#545b64", "#d5dbdb", "#f2f3f3", "#e6f4ea"
LINES = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728"]
STYLE = f"text{{font:11px sans-serif;fill:{QUIET}}}.title{{font-size:13px;font-weight:bold;fill:{INK}}}"


def read_widgets() -> list[dict[str, Any]]:
    """CloudWatch's: `x`, `y`, `width` and `height` in columns and rows, `type` and `properties`."""
    (dashboard,) = Stack("craftkit-certificates", {}).of_type("AWS::CloudWatch::Dashboard").values()
    return list(json.loads(dashboard["DashboardBody"])["widgets"])


def draw(widgets: list[dict[str, Any]]) -> str:
    """An SVG. Its paper is white and light grey, whatever the page's is."""
    width, height = COLUMNS * COLUMN, max(widget["y"] + widget["height"] for widget in widgets) * ROW
    size = f'viewBox="0 0 {width:g} {height:g}" width="{width:g}" height="{height:g}"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>'
    parts = [part for widget in widgets for part in _draw_widget(widget)]
    return "\n".join([start, f"<style>{STYLE}</style>", _box(0, 0, width, height, PAPER), *parts, "</svg>"]) + "\n"


def _draw_widget(widget: dict[str, Any]) -> Iterator[str]:
    x, y = widget["x"] * COLUMN + 4, widget["y"] * ROW + 4
    width, height = widget["width"] * COLUMN - 8, widget["height"] * ROW - 8
    properties = widget["properties"]
    yield _box(x, y, width, height, "white")
    yield _text(x + 12, y + 20, properties["title"], "title")
    if widget["type"] == "alarm":
        yield from _draw_alarms(properties["alarms"], x + 12, y + 32, width - 20)
        return
    words = [properties.get("stat", ""), f"each {properties['period'] // 60} minutes", _stacked(properties)]
    yield _text(x + 12, y + 38, ", ".join(filter(None, words)))
    legend = _labels(properties["metrics"])
    bottom = y + height - 10 - 16 * len(legend)
    for level in range(4):
        yield _line(x + 12, x + width - 12, bottom - 8 - level * (bottom - y - 60) / 3, GRID)
    for number, label in enumerate(legend):
        yield _line(x + 12, x + 26, bottom + 8 + 16 * number, LINES[number], 3)
        yield _text(x + 32, bottom + 12 + 16 * number, label)


def _draw_alarms(arns: list[str], x: float, y: float, width: float) -> Iterator[str]:
    step = width / ALARMS_IN_A_ROW
    for number, arn in enumerate(arns):
        row, column = divmod(number, ALARMS_IN_A_ROW)
        yield _box(x + column * step, y + row * 32, step - 8, 26, OK)
        yield _text(x + column * step + 10, y + row * 32 + 17, _last(arn))


def _stacked(properties: dict[str, Any]) -> str:
    return "stacked" if properties.get("stacked") else ""


def _labels(metrics: list[list[Any]]) -> list[str]:
    """A metric's own label; else its name, the dimensions in which it differs from the others, and its statistic."""
    dimensions = [_dimensions(metric) for metric in metrics]
    values: dict[str, set[str]] = {}
    for each in dimensions:
        for name, value in each.items():
            values.setdefault(name, set()).add(value)
    labels = []
    for metric, each in zip(metrics, dimensions, strict=True):
        if isinstance(metric[0], dict):
            labels.append(_expression(metric[0]["expression"]))
            continue
        end = metric[-1] if isinstance(metric[-1], dict) else {}
        differing = [_last(value) for name, value in each.items() if len(values[name]) > 1]
        labels.append(end.get("label") or " ".join([metric[1], *differing, end.get("stat", "")]).strip())
    return labels


def _dimensions(metric: list[Any]) -> dict[str, str]:
    words = [word for word in metric[2:] if isinstance(word, str)]
    return dict(zip(words[::2], words[1::2], strict=True))


def _expression(text: str) -> str:
    """A line for each that is found: `SEARCH('{namespace,code,service} RequestsRefused', …)`."""
    (found,) = re.finditer(r"\{\w+,([\w,]+)\} (\w+)", text)
    return f"{found[2]}, each {found[1].replace(',', ' and ')}"


def _last(name: str) -> str:
    """Without the stack's name: `stack-ArchiveQueue`."""
    return name.rpartition("-")[2]


def _box(x: float, y: float, width: float, height: float, fill: str) -> str:
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" fill="{fill}"/>'


def _line(x1: float, x2: float, y: float, stroke: str, width: int = 1) -> str:
    return f'<path d="M{x1:g} {y:g}H{x2:g}" stroke="{stroke}" stroke-width="{width}"/>'


def _text(x: float, y: float, words: str, style: str = "") -> str:
    attribute = f' class="{style}"' if style else ""
    return f'<text x="{x:g}" y="{y:g}"{attribute}>{escape(words)}</text>'


if __name__ == "__main__":
    PICTURE.write_text(draw(read_widgets()))
