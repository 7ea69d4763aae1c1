"""Draw docs/images/architecture.svg: the layers, and the doors that plug-ins use."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams["svg.hashsalt"] = "alflow"
mpl.rcParams["svg.fonttype"] = "none"
import matplotlib.pyplot as plt  # noqa: E402

LAYERS = (
    ("alflow.cli", [("cli", "one file per noun")]),
    (
        "workflows",
        [
            ("tasks · recovery", "FireTasks, LaunchPad, workers"),
            ("active_learning/", "kind of campaign"),
            ("hull_screening/", "kind of campaign"),
        ],
    ),
    (
        "alflow",
        [("report", "pages"), ("results", "typed read model"), ("store", "collections, leases, migrations")],
    ),
    ("alflow", [("explorers", "md, relax, neb, script"), ("hull", "candidates, σ rule")]),
    ("alflow", [("simulation", "dynamics, relaxation, paths")]),
    ("alflow", [("selection", "MAXVOL, active sets, grades")]),
    ("alflow", [("potentials", "protocol, kernel, mtp"), ("structures", "files, checks")]),
    ("alflow", [("settings · registry · sentences · states", "what everything stands on")]),
)
DOORS = {"active_learning/", "hull_screening/", "explorers", "potentials"}
BLUE, GREEN, INK = "#dfe9f5", "#dff0e2", "#1d2733"


def draw(path: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(figsize=(10, 6.6))
    for row, (_, boxes) in enumerate(LAYERS):
        y = len(LAYERS) - row
        width = 7.6 / len(boxes)
        for column, (name, words) in enumerate(boxes):
            x = column * width
            color = GREEN if name in DOORS else BLUE
            axes.add_patch(
                plt.Rectangle((x + 0.03, y - 0.86), width - 0.06, 0.8, facecolor=color, edgecolor=INK, lw=0.8)
            )
            axes.text(
                x + width / 2, y - 0.36, name, ha="center", va="center", fontsize=10, color=INK, weight="bold"
            )
            axes.text(x + width / 2, y - 0.66, words, ha="center", va="center", fontsize=8, color=INK)
    axes.add_patch(plt.Rectangle((7.9, 2.14), 2.0, 4.8, facecolor=GREEN, edgecolor=INK, lw=0.8))
    axes.text(8.9, 4.75, "qm_interfaces", ha="center", fontsize=10, weight="bold", color=INK)
    axes.text(8.9, 4.4, "one file per QM code;\nstands alone", ha="center", va="top", fontsize=8, color=INK)
    axes.annotate("", (7.87, 6.5), (7.6, 6.5), arrowprops={"arrowstyle": "->", "color": INK})
    axes.annotate("", (-0.25, 0.2), (-0.25, 8.0), arrowprops={"arrowstyle": "->", "color": INK})
    axes.text(
        -0.42, 4.1, "imports point down only", rotation=90, ha="center", va="center", fontsize=9, color=INK
    )
    axes.text(7.9, 0.5, "green: doors, which plug-ins\nof other packages extend", fontsize=9, color=INK)
    axes.set(xlim=(-0.6, 10), ylim=(0, 8.1))
    axes.axis("off")
    figure.savefig(path, bbox_inches="tight", metadata={"Date": None})


if __name__ == "__main__":
    draw(Path(__file__).resolve().parent / "images" / "architecture.svg")
