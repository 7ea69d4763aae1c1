"""Labelled structures with their origins, for files that leave the campaign."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ase import Atoms

from alflow.store import Store

ORIGIN = ("explorer", "pass", "step", "extrapolation_grade", "file", "group")
"""Keys of a configuration's origin that files show."""


def training_labels(store: Store, campaign: str, version: int) -> list[dict[str, Any]]:
    """Documents of the labels that a version of the potential was fitted to, in the order of the fit."""
    document = store.potentials.latest(campaign, version=version)
    assert document is not None
    by_id = {label["_id"]: label for label in store.labels.find(campaign)}
    return [by_id[label] for label in store.potentials.label_ids(document)]


def key_of(label: dict[str, Any]) -> dict[str, Any]:
    """What distinguishes a result from all others of its campaign, also after the label was computed again.

    A name such as ``3.10`` would be read from a file as the number 3.1.
    """
    return {
        "label_round": label["round"],
        "label_number": label["number"],
        "label_ended": label["ended"].isoformat(),
    }


def labelled_frames(store: Store, campaign: str, labels: Sequence[dict[str, Any]]) -> list[Atoms]:
    """The labelled structures of labels with a result.

    Parameters
    ----------
    labels
        Documents as `Labels.find` returns them.

    Returns
    -------
    list of Atoms
        Each has its results and, in `info`, its origin: ``label_round`` and ``label_number`` (the name of the
        label in commands), ``label_ended``, ``label_kind``, ``label_state``, code, level of theory, and
        the run that met it, as far as it is known (`ORIGIN`).
    """
    origins = store.configurations.origins([label["configuration"] for label in labels])
    structures = store.labels.structures([label["_id"] for label in labels])
    for label, atoms in zip(labels, structures, strict=True):
        source = origins[label["configuration"]]["source"]
        # Another campaign may have met the structure first: its run and step have no meaning here.
        own = source if source.get("campaign") == campaign else {}
        atoms.info |= {
            **key_of(label),
            "label_kind": str(label["kind"]),
            "label_state": str(label["state"]),
            **{key: own[key] for key in ORIGIN if own.get(key) is not None},
        }
    return structures
