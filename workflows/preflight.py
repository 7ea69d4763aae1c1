"""What can be known of a campaign before it begins: missing programs, cells that cost or mislead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from alflow.campaign.kinds import CampaignSettings
from alflow.errors import InputError
from alflow.structures.cells import VACUUM_A, gaps_A, heights_A
from qm_interfaces import CodeMissing, QMError, get_interface, obstacles
from workflows.campaign_kind import Preview, preview_of

LARGE_LABEL = 200  # atoms beyond which a label of plane-wave DFT takes many core hours
NAMES = ("a", "b", "c")


class Verdict(StrEnum):
    """How a part of a campaign stands."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One line of the check."""

    part: str
    verdict: Verdict
    found: str


def qm_obstacles(config: CampaignSettings, preview: Preview | None = None) -> list[QMError]:
    """Reasons why labels of the campaign would fail on this machine."""
    structures = (preview or preview_of(config)).structures
    return obstacles(get_interface(config.qm.interface, **config.qm.options), structures[:3])


def require_ready(config: CampaignSettings) -> None:
    """Check that labels of the campaign can run on this machine.

    Raises
    ------
    InputError
        If something is missing: one sentence with what to do.
    """
    if found := qm_obstacles(config):
        raise InputError("; ".join(error.reason for error in found))


def note_missing(config: CampaignSettings) -> list[str]:
    """Sentences on what this machine lacks and workers will need.

    Raises
    ------
    InputError
        If labels would fail on any machine.
    """
    found = qm_obstacles(config)
    if wrong := [error.reason for error in found if not isinstance(error, CodeMissing)]:
        raise InputError("; ".join(wrong))
    return [f"on this machine {error.reason}; workers that label need it" for error in found]


def inspect(config: CampaignSettings, preview: Preview) -> list[Finding]:
    """All findings on QM code and cells."""
    found = [
        Finding(
            f"qm {config.qm.interface}",
            Verdict.MISSING if isinstance(error, CodeMissing) else Verdict.WRONG,
            error.reason,
        )
        for error in qm_obstacles(config, preview)
    ]
    return [
        *(found or [Finding(f"qm {config.qm.interface}", Verdict.OK, "nothing is missing")]),
        *_cells(preview),
    ]


def _cells(preview: Preview) -> list[Finding]:
    notes: dict[str, None] = {}
    for atoms in preview.structures:
        if len(atoms) > LARGE_LABEL:
            notes[
                f"labels have {len(atoms)} atoms: if one takes too long, explore in a smaller cell (`repeat`)"
            ] = None
        for axis in np.flatnonzero(atoms.pbc):
            height, gap = heights_A(atoms)[axis], gaps_A(atoms)[axis]
            if preview.cutoff_A is None:
                continue
            if VACUUM_A < gap < preview.cutoff_A:
                notes[
                    f"along {NAMES[axis]}, {gap:.1f} Å are empty, less than the cutoff of "
                    f"{preview.cutoff_A:g} Å: images of a slab or molecule interact; widen the vacuum"
                ] = None
            elif height < preview.cutoff_A and len(atoms) > 1:
                notes[
                    f"along {NAMES[axis]}, the cell is {height:.1f} Å high, less than the cutoff of "
                    f"{preview.cutoff_A:g} Å: right for the potential, but dynamics in it is that of a crystal "
                    "of equal cells; use `repeat`"
                ] = None
    sizes = sorted({len(atoms) for atoms in preview.structures})
    said = (
        f"labels of {sizes[0]}" + (f" to {sizes[-1]}" if len(sizes) > 1 else "") if sizes else "no labels yet"
    )
    findings = [Finding("cells", Verdict.NOTE, note) for note in list(notes)[:4]]
    return findings or [Finding("cells", Verdict.OK, f"{said} atoms" if sizes else said)]
