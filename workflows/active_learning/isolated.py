"""Energies of isolated atoms as the QM code computed them, for the fit."""

from __future__ import annotations

from alflow.potentials.fit_settings import FitSettings
from alflow.states import LabelKind, LabelState
from alflow.store import Store
from workflows.active_learning.schema import ActiveLearning


class IsolatedAtomMissing(Exception):
    """The QM code gave no energy of an isolated atom; the message says of which and why."""


def with_isolated_atoms(store: Store, config: ActiveLearning) -> FitSettings:
    """The campaign's settings of the fit with the energies of isolated atoms, if it wants them.

    Raises
    ------
    IsolatedAtomMissing
        If a label has failed or was rejected: a fit without it would be another one than the campaign says.
    """
    if not config.initial.isolated_atoms:
        return config.fit
    energies: dict[str, float] = {}
    for label in store.labels.find(config.name):
        if label["kind"] != LabelKind.ISOLATED:
            continue
        symbol = str(store.configurations.atoms([label["configuration"]])[0].symbols[0])
        if label["state"] != LabelState.DONE:
            raise IsolatedAtomMissing(
                f"the isolated atom {symbol} has no energy ({label['reason'] or label['state']}); correct "
                "`qm` and retry the label, or give fit.isolated_atoms_eV"
            )
        energies[symbol] = float(label["energy_eV"])
    return config.fit.model_copy(update={"isolated_atoms_eV": energies})
