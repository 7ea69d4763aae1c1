"""Begin a campaign, or take up the one of its name."""

from __future__ import annotations

from fireworks import LaunchPad

from alflow.campaign.file import parse_campaign
from alflow.campaign.kinds import CampaignSettings
from alflow.errors import InputError
from alflow.states import CampaignState
from alflow.store import Store
from qm_interfaces import level_differences
from workflows.campaign_kind import kind_of
from workflows.labelling import level_of_theory
from workflows.rounds import ensure_round


def check(campaign: CampaignSettings) -> None:
    """Find everything that can be wrong with a campaign before it begins.

    Raises
    ------
    InputError
        If one of its files is wrong.
    qm_interfaces.SettingsError
        If the QM interface refuses its options.
    """
    level_of_theory(campaign.qm)
    kind_of(campaign).procedure.check(campaign)


def submit(store: Store, launchpad: LaunchPad, campaign: CampaignSettings) -> None:
    """Put a campaign on the LaunchPad, or take up the one of this name; a refused change leaves no trace.

    Raises
    ------
    InputError
        If it changes something that cannot change once a campaign has begun.

    And what `check` raises.
    """
    check(campaign)
    if campaign.name in store.campaigns.names():
        _apply_changes(store, campaign)
        try_again(store, campaign.name)
    store.campaigns.create(campaign)
    kind_of(campaign).procedure.begin(store, campaign)
    ensure_round(store, launchpad, campaign.name)


def try_again(store: Store, name: str) -> bool:
    """Set a failed campaign, and its explorers that broke, going again; False if it had not failed."""
    if not store.campaigns.reopen(name, CampaignState.FAILED):
        return False
    kind_of(store.campaigns.config(name)).procedure.retry_failed(store, name)
    return True


def _apply_changes(store: Store, campaign: CampaignSettings) -> None:
    """Apply an edited campaign file, as far as a campaign that has begun can change.

    The stored configuration is read through today's schema first, so that a key which an earlier release did
    not have counts as its default.
    """
    document = store.campaigns.get(campaign.name)
    old = parse_campaign(document["config"], campaign.name)
    if old.kind != campaign.kind:
        raise InputError(
            f"campaign {campaign.name!r} is of kind {old.kind!r} in this database and of kind "
            f"{campaign.kind!r} in its file; give the campaign a new name"
        )
    before, now = old.model_dump(mode="json"), campaign.model_dump(mode="json")
    changed = [key for key in now if now[key] != before[key]]
    procedure = kind_of(campaign).procedure
    if fixed := [key for key in changed if key in procedure.FIXED]:
        raise InputError(
            f"`{fixed[0]}` of campaign {campaign.name!r} cannot change once it has begun; "
            "give the campaign a new name"
        )
    procedure.check_additions(store, old, campaign)
    if differences := level_differences(level_of_theory(old.qm), level_of_theory(campaign.qm)):
        raise InputError(
            f"`qm` of campaign {campaign.name!r} would change the level of theory of its labels "
            f"({'; '.join(differences)}); give the campaign a new name"
        )
    if changed and store.campaigns.replace_config(campaign, document["config_hash"]):
        key = f"config-{document['config_hash'][:12]}-{document['round']}"
        store.events.add(campaign.name, key, "config changed", document["round"], keys=changed)
        store.campaigns.reopen(campaign.name, CampaignState.STOPPED, CampaignState.FINISHED)
