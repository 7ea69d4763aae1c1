"""Begin a campaign, or take up the one of its name."""

from __future__ import annotations

from typing import Any

from fireworks import LaunchPad

from alflow.campaign.file import AnyCampaign
from alflow.campaign.sections import QM
from alflow.errors import InputError
from alflow.store import Store
from alflow.store import campaigns as state
from qm_interfaces import level_differences
from workflows.labelling import level_of_theory
from workflows.procedure import procedure_of
from workflows.rounds import ensure_round


def check(campaign: AnyCampaign) -> None:
    """Find everything that can be wrong with a campaign before it begins.

    Raises
    ------
    InputError
        If one of its files is wrong.
    qm_interfaces.SettingsError
        If the QM interface refuses its options.
    """
    level_of_theory(campaign.qm)
    procedure_of(campaign).check(campaign)


def submit(store: Store, launchpad: LaunchPad, campaign: AnyCampaign) -> None:
    """Put a campaign on the LaunchPad, or take up the one of this name; what is refused leaves no trace.

    Raises
    ------
    InputError
        If it changes what a campaign that has begun cannot change.

    And what `check` raises.
    """
    check(campaign)
    if campaign.name in store.campaigns.names():
        _apply_changes(store, campaign)
        try_again(store, campaign.name)
    store.campaigns.create(campaign)
    procedure_of(campaign).begin(store, campaign)
    ensure_round(store, launchpad, campaign.name)


def try_again(store: Store, name: str) -> bool:
    """Set a failed campaign, and its explorers that broke, going again; False if it had not failed."""
    if not store.campaigns.reopen(name, state.FAILED):
        return False
    store.explorers.retry_failed(name)
    return True


def _apply_changes(store: Store, campaign: AnyCampaign) -> None:
    """Take over an edited campaign file, as far as a campaign that has begun can change."""
    document = store.campaigns.get(campaign.name)
    old, new = document["config"], campaign.model_dump(mode="json")
    if old.keys() != new.keys():
        raise InputError(
            f"campaign {campaign.name!r} is of another kind in this database; give the campaign a new name"
        )
    changed = [key for key in new if new[key] != old.get(key)]
    procedure = procedure_of(campaign)
    if fixed := [key for key in changed if key in procedure.FIXED]:
        raise InputError(
            f"`{fixed[0]}` of campaign {campaign.name!r} cannot change once it has begun; "
            "give the campaign a new name"
        )
    procedure.check_additions(store, old, campaign)
    if differences := level_differences(level_of_theory(_qm(old)), level_of_theory(campaign.qm)):
        raise InputError(
            f"`qm` of campaign {campaign.name!r} would change the level of theory of its labels "
            f"({'; '.join(differences)}); give the campaign a new name"
        )
    if changed and store.campaigns.replace_config(campaign, document["config_hash"]):
        key = f"config-{document['config_hash'][:12]}-{document['round']}"
        store.events.add(campaign.name, key, "config changed", document["round"], keys=changed)
        store.campaigns.reopen(campaign.name, state.STOPPED, state.FINISHED)


def _qm(config: dict[str, Any]) -> QM:
    return QM.model_validate(config["qm"])
