"""Begin a campaign, or update the stored campaign of the same name."""

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
    """Check the settings and files of a campaign before it begins.

    Raises
    ------
    InputError
        If one of its files is invalid.
    qm_interfaces.SettingsError
        If the QM interface rejects its options.
    """
    level_of_theory(campaign.qm)
    kind_of(campaign).procedure.check(campaign)


def submit(store: Store, launchpad: LaunchPad, campaign: CampaignSettings) -> list[str]:
    """Put a campaign on the LaunchPad, or update the one of this name; a refused change stores nothing.

    Returns
    -------
    list of str
        What an edited campaign changed, in words.

    Raises
    ------
    InputError
        If it changes a key that is fixed once a campaign has begun.

    The errors of `check` are raised as well.
    """
    check(campaign)
    applied = []
    if campaign.name in store.campaigns.names():
        applied = _apply_changes(store, campaign)
        try_again(store, campaign.name)
    store.campaigns.create(campaign)
    kind_of(campaign).procedure.begin(store, campaign)
    ensure_round(store, launchpad, campaign.name)
    return applied


def try_again(store: Store, name: str) -> bool:
    """Restart a failed campaign and its broken explorers; False if it had not failed."""
    if not store.campaigns.reopen(name, CampaignState.FAILED):
        return False
    kind_of(store.campaigns.config(name)).procedure.retry_failed(store, name)
    return True


def _apply_changes(store: Store, campaign: CampaignSettings) -> list[str]:
    """Apply an edited campaign file; keys that are fixed once a campaign has begun must not change.

    Returns in words what is applied.

    The stored configuration is read with today's schema first, so a key that an earlier release did not have
    has its default.
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
    applied = list(procedure.check_additions(store, old, campaign) or ())
    if differences := level_differences(level_of_theory(old.qm), level_of_theory(campaign.qm)):
        raise InputError(
            f"`qm` of campaign {campaign.name!r} would change the level of theory of its labels "
            f"({'; '.join(differences)}); give the campaign a new name"
        )
    if not (changed and store.campaigns.replace_config(campaign, document["config_hash"])):
        return []
    key = f"config-{document['config_hash'][:12]}-{document['round']}"
    store.events.add(campaign.name, key, "config changed", document["round"], keys=changed, applied=applied)
    store.campaigns.reopen(campaign.name, CampaignState.STOPPED, CampaignState.FINISHED)
    return applied
