"""The methods paragraph of a campaign of active learning."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version as installed_version

from alflow.report import CampaignPage
from alflow.report.filters import number
from alflow.results import RunRecord
from alflow.results.levels import CODES, level_references, level_rows
from alflow.results.methods import Methods
from alflow.results.wording import spoken_all
from alflow.states import LabelKind, LabelState
from workflows.active_learning.schema import ActiveLearning

CITED_FORMS = {"mtp": "a moment tensor potential [Shapeev2016]"}


def methods(config: ActiveLearning, page: CampaignPage, runs: Sequence[RunRecord]) -> Methods:
    """The paragraph; facts that are not known yet are left out."""
    return Methods.of(
        [
            _potential(config),
            *(_level(level, config) for level in page.campaign.levels),
            _selection(config),
            *(explorer.described() for explorer in config.explorers),
            _labels(page, runs),
            _errors(page),
        ]
    )


def _potential(config: ActiveLearning) -> str:
    settings = config.potential.model_dump(mode="json", exclude_none=True)
    kind = settings.pop("kind")
    core = settings.pop("core", None)
    form = CITED_FORMS.get(kind, f"an interatomic potential of kind {kind}")
    return (
        f"The interatomic potential of {', '.join(config.species)} is {form} ({spoken_all(settings)})"
        + (" with a Ziegler–Biersack–Littmark repulsion at short distances" if core else "")
        + f"; it was fitted by active learning [Podryabinkin2017] with alflow {installed_version('alflow')}."
    )


def _level(level: object, config: ActiveLearning) -> str:
    assert isinstance(level, dict)
    rows = level_rows(level, config.qm.options, config.species)
    code = CODES.get(str(level.get("code")))
    name = code.in_words if code else str(level.get("code"))
    details = "; ".join(f"{key} {value}" for key, value in rows if key != "code")
    keys = level_references(level, config.qm.options)
    return (
        f"Reference energies and forces were computed by {name}"
        + (f" [{', '.join(keys)}]" if keys else "")
        + (f": {details}." if details else ".")
    )


def _selection(config: ActiveLearning) -> str:
    chosen = config.selection
    graded = "each atom's neighborhood" if chosen.mode == "neighborhood" else "the whole configuration"
    return (
        f"Extrapolation grades γ of {graded} were computed with an active set found by the MAXVOL algorithm "
        f"[Goreinov2010, Podryabinkin2023]: frames with γ above {chosen.gamma_save:g} were candidates, the "
        f"run paused at γ above {chosen.gamma_break:g}, and at most {chosen.labels_per_round} candidates per "
        "round, those that extend the active set most, were labelled before the potential was fitted again."
    )


def _labels(page: CampaignPage, runs: Sequence[RunRecord]) -> str:
    labels = page.campaign.labels
    ended = [label for label in labels if label.state.is_ended and label.kind != LabelKind.IMPORTED]
    accepted = sum(label.state == LabelState.DONE for label in ended)
    held_out = sum(label.kind == LabelKind.VALIDATION and label.state == LabelState.DONE for label in ended)
    imported = sum(label.kind == LabelKind.IMPORTED for label in labels)
    if not page.versions:
        return ""
    explored: dict[str, float] = {}
    for run in runs:
        explored[run.unit] = explored.get(run.unit, 0.0) + run.all_progress
    amounts = " and ".join(f"{amount:.4g} {unit}" for unit, amount in explored.items())
    counted = "1 run" if len(runs) == 1 else f"{len(runs)} runs"
    return (
        f"Over {amounts} of exploration in {counted}, {len(ended)} structures were computed, of which "
        f"{accepted} were accepted"
        + (f" ({held_out} of them for validation)" if held_out else "")
        + (f"; {imported} labelled structures came from a file" if imported else "")
        + f". The final potential was fitted to {page.versions[-1].labels} structures."
    )


def _errors(page: CampaignPage) -> str:
    if not page.versions:
        return ""
    trained, found = page.trained, page.validation
    energy = number(1000 * trained.energy_rmse_eV_per_atom)
    force = number(trained.force_rmse_eV_A)
    text = f"Its root-mean-square errors on this training set are {energy} meV/atom and {force} eV/Å"
    if found is None:
        return text + "."
    return (
        f"{text}; on {found.frames} frames at random steps of the runs, on which it was not trained, they "
        f"are {found.energy_rmse_eV_per_atom.in_words(1000)} meV/atom and "
        f"{found.force_rmse_eV_A.in_words()} eV/Å (95 % confidence intervals)."
    )
