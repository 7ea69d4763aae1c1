"""Files with which a campaign's potential leaves it: the potential, its grades and its training set.

They are written after every round and at the end, so that what the campaign has learned is always at hand. A
file is replaced when the new one is complete.
"""

from __future__ import annotations

import io
import re
from pathlib import Path

from ase.io.extxyz import write_extxyz

from alflow.errors import InputError
from alflow.files import write_completely
from alflow.potentials.registry import POTENTIALS
from alflow.results.labelled_frames import key_of, labelled_frames, training_labels
from alflow.results.stored_potentials import read_active_set, read_potential
from alflow.selection.graded import almtp_to_bytes
from alflow.store import Store

TRAINING = "training.extxyz"
ACTIVE_SET_SUFFIX = ".npz"
GRADED_SUFFIX = ".almtp"
_KEY = re.compile(rb" label_round=(\d+) label_number=(\d+) label_ended=(\S+)")


def potential_content(store: Store, campaign: str, version: int, suffix: str) -> bytes:
    """The file of a version of the potential.

    Parameters
    ----------
    suffix
        ``.almtp``: the potential with its active set. ``.npz``: the active set alone. Otherwise the suffix of
        the potential's kind.

    Raises
    ------
    InputError
        If this kind of potential has no files with this suffix.
    """
    kind = store.potentials.kind(campaign, version)
    own = POTENTIALS.get(kind).suffixes
    if suffix == ACTIVE_SET_SUFFIX:
        return store.potentials.active_set(campaign, version)
    if suffix == GRADED_SUFFIX and suffix in own:
        return almtp_to_bytes(
            read_potential(store, campaign, version),
            read_active_set(store, campaign, version),
            labelled_frames(store, campaign, training_labels(store, campaign, version)),
        )
    if suffix in own:
        return store.potentials.content(campaign, version)
    raise InputError(
        f"a potential of kind {kind!r} is written to a {', '.join(own)} or (its active set alone) "
        f"{ACTIVE_SET_SUFFIX} file, not to {suffix or 'a file without a suffix'}"
    )


def write_potential_files(store: Store, campaign: str, folder: Path) -> list[Path]:
    """Write the newest version of the potential, of each stage, and the training set of the newest.

    Files that are up to date stay as they are.

    Returns
    -------
    list of Path
        ``NAME.mtp`` (the suffix of the kind), ``NAME.almtp`` (or ``NAME.npz``, the active set, where the kind
        has no files with grades) and ``training.extxyz``; in a screening of several stages ``NAME-1.mtp`` and
        so on. Empty before the first fit.
    """
    newest = {version["stage"]: version for version in store.potentials.history(campaign)}
    written = []
    for stage, version in newest.items():
        stem = campaign if len(newest) == 1 else f"{campaign}-{stage + 1}"
        suffixes = POTENTIALS.get(version["kind"]).suffixes
        graded = GRADED_SUFFIX if GRADED_SUFFIX in suffixes else ACTIVE_SET_SUFFIX
        plain, with_grades = (folder / f"{stem}{suffix}" for suffix in (suffixes[0], graded))
        content = store.potentials.content(campaign, version["version"])
        # The plain file comes last: if it is that of the newest version, so is the other.
        if not (plain.is_file() and plain.read_bytes() == content and with_grades.is_file()):
            write_completely(with_grades, potential_content(store, campaign, version["version"], graded))
            write_completely(plain, content)
        written += [plain, with_grades]
    if newest:
        last = max(version["version"] for version in newest.values())
        written.append(write_training_set(store, campaign, last, folder / TRAINING))
    return written


def write_training_set(store: Store, campaign: str, version: int, path: Path) -> Path:
    """Write the training set of a version, each frame with its origin, as extended XYZ.

    Frames that the file already holds are copied, so that a round of a long campaign costs only its own
    labels.
    """
    labels = training_labels(store, campaign, version)
    keys = [tuple(str(value).encode() for value in key_of(label).values()) for label in labels]
    present = path.read_bytes() if path.is_file() else b""
    held = _KEY.findall(present)
    if held == keys:
        return path
    if held != keys[: len(held)]:
        present, held = b"", []
    text = io.StringIO()
    write_extxyz(text, labelled_frames(store, campaign, labels[len(held) :]))
    write_completely(path, present + text.getvalue().encode())
    return path
