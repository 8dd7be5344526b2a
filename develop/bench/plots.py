"""The results as pictures. The same results give the same bytes."""

from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import RcKeyType

from develop.bench.results import DELAYS, Costs, Growth, Rounds, Warm

OURS, OURS_CPU = "#1f77b4", "#0f4c7a"
PEER, PEER_CPU = "#c3cad1", "#7d8791"
INK, QUIET, GRID = "#24292f", "#57606a", "#eaeef2"

_STYLE: dict[RcKeyType, Any] = {
    "svg.hashsalt": "benchmarks",
    "font.size": 9,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": QUIET,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlepad": 14,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": INK,
}


@mpl.rc_context(_STYLE)
def draw_contenders(cold: Costs, warm: Warm, file: Path) -> None:
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    _bars(left, "Cold start to first answer", cold.milliseconds, cold.cpu)
    _bars(right, "Warm request", warm.milliseconds, warm.cpu)
    right.axvline(DELAYS, color=INK, linewidth=1, linestyle="--")
    label = f" {DELAYS:g} ms: DynamoDB and S3"
    right.annotate(label, (DELAYS, 1), xycoords=("data", "axes fraction"), va="bottom", fontsize=8)
    _save(figure, file)


def _bars(axes: Axes, title: str, milliseconds: Mapping[str, Rounds], cpu: Mapping[str, Rounds]) -> None:
    names = list(milliseconds)
    taken, used = [median(milliseconds[name]) for name in names], [median(cpu[name]) for name in names]
    axes.barh(names, taken, height=0.64, color=[OURS if name == "ours" else PEER for name in names])
    axes.barh(names, used, height=0.2, color=[OURS_CPU if name == "ours" else PEER_CPU for name in names])
    for row, value in enumerate(taken):
        text = f"{value:,.0f}" if value >= 100 else f"{value:.1f}"
        axes.annotate(text, (value, row), xytext=(4, 0), textcoords="offset points", va="center")
    axes.set_title(title)
    axes.set_xlabel("milliseconds (thin bars: CPU)")
    axes.margins(x=0.14)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)


@mpl.rc_context(_STYLE)
def draw_growth(growth: Growth, file: Path) -> None:
    figure = Figure(figsize=(9, 3), layout="constrained")
    taken, used, memory = figure.subplots(1, 3)
    for name, peak in growth.peak.items():
        sizes = [size / 1e6 for size in peak]
        lines = {
            taken: [median(rounds) for rounds in growth.milliseconds[name].values()],
            used: [median(rounds) for rounds in growth.cpu[name].values()],
            memory: [most / 1e6 for most in peak.values()],
        }
        for axes, values in lines.items():
            color = OURS if name == "ours" else PEER_CPU
            axes.plot(sizes, values, label=name, color=color, marker="o", markersize=4, clip_on=False)
    for axes, title in ((taken, "Time, ms"), (used, "CPU, ms"), (memory, "Peak memory, MB")):
        axes.set_title(title)
        axes.set_xlabel("certificate, MB")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(axis="y", color=GRID)
    taken.legend(frameon=False)
    _save(figure, file)


def _save(figure: Figure, file: Path) -> None:
    figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
