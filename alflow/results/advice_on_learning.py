"""Rules of advice on the potential: its errors, its training set, its distances."""

from __future__ import annotations

from alflow.results.facts import Advice, Facts, Rule
from alflow.states import CampaignState, LabelKind, LabelState

RISE = 1.1  # ratio of errors that counts as a rise
TREND = 3  # rounds with both errors that show a trend
UNSEEN_RATIO = 2.0  # validation over training error that is not ordinary
ALIKE = 1.25  # ratio of validation to training error at which more labels do not help
USUAL_EV_A = 0.05  # force errors above it are worth a larger potential
WORTH_VALIDATION = 20  # labels of a campaign that can afford validation
LABELS_PER_PARAMETER = 0.1
NEARER = 0.98  # of the shortest distance in the training set: nearer is beyond rounding
NEAR = 1.05  # of the lower end of the radial functions


def nothing_learned(facts: Facts) -> Advice | None:
    """The runs have ended, and none met a candidate."""
    explored = [row for row in facts.rounds if row.round > 0]
    if (
        facts.gamma_save is None
        or facts.state != CampaignState.FINISHED
        or not explored
        or not facts.explored_steps
        or any(row.candidates for row in explored)
    ):
        return None
    return Advice(
        Rule.NOTHING_LEARNED,
        f"γ never exceeded γ_save = {facts.gamma_save:g}: nothing was learned after the first labels",
        "if you expected more, explore hotter or longer, or raise the level of the potential; γ says where "
        "it extrapolates, not how accurate it is",
    )


def training_error_rises(facts: Facts) -> Advice | None:
    """The training error rises, the validation error does not."""
    trend = facts.trend
    if len(trend) < TREND or trend[-1][0] <= RISE * trend[0][0] or trend[-1][1] > RISE * trend[0][1]:
        return None
    return Advice(
        Rule.TRAINING_ERROR_RISES,
        f"the training error has risen from {trend[0][0]:#.2g} to {trend[-1][0]:#.2g} eV/Å while the "
        "validation error has not",
        "this is ordinary, because each round adds the structures that are hardest to predict: nothing to do",
    )


def unlike_training(facts: Facts) -> Advice | None:
    """The potential is much worse on the runs than on its training set."""
    errors = facts.newest_errors
    if errors is None or not errors[1].low > UNSEEN_RATIO * errors[0]:
        return None
    return Advice(
        Rule.UNLIKE_TRAINING,
        f"the validation error, {errors[1].in_words()} eV/Å, is far above the training error, "
        f"{errors[0]:#.2g} eV/Å: the training set lacks structures that the runs visit",
        "lower `selection.gamma_save`, or give more labels (`initial.count`, `labels_per_round`)",
    )


def error_floor(facts: Facts) -> Advice | None:
    """Both errors are alike and high, and no longer fall."""
    errors, trend = facts.newest_errors, facts.trend[-TREND:]
    if errors is None or len(trend) < TREND or errors[1].low < USUAL_EV_A:
        return None
    falls = trend[0][1] > RISE * trend[-1][1] or trend[0][0] > RISE * trend[-1][0]
    if falls or errors[1].value > ALIKE * errors[0]:
        return None
    return Advice(
        Rule.ERROR_FLOOR,
        f"training and validation error stay at {errors[0]:#.2g} and {errors[1].value:#.2g} eV/Å: more "
        "labels will not lower them",
        "raise `potential.level`, or the cutoff",
    )


def few_labels(facts: Facts) -> Advice | None:
    """The campaign has ended with few labels for the number of parameters."""
    used = sum(
        label.state == LabelState.DONE and label.kind != LabelKind.VALIDATION for label in facts.labels
    )
    if facts.fit is None or facts.state != CampaignState.FINISHED:
        return None
    if used >= LABELS_PER_PARAMETER * facts.fit.parameters:
        return None
    return Advice(
        Rule.FEW_LABELS,
        f"{used} labels determine {facts.fit.parameters} parameters",
        "lower `potential.level`, or explore more: longer, hotter, other structures",
    )


def short_distances(facts: Facts) -> Advice | None:
    """Atoms come nearer than in any training structure, near the beginning of the radial functions."""
    fit, shortest = facts.fit, facts.shortest
    if fit is None or fit.core or fit.lower_end_A is None or shortest is None:
        return None
    if shortest.visited_A >= NEARER * shortest.trained_A or shortest.visited_A > NEAR * fit.lower_end_A:
        return None
    return Advice(
        Rule.SHORT_DISTANCES,
        f"atoms come as near as {shortest.visited_A:.2f} Å, nearer than in the training set "
        f"({shortest.trained_A:.2f} Å); the potential's radial functions begin at {fit.lower_end_A:.2f} Å",
        "consider `potential.core`, a repulsion at short distances",
    )


def no_validation(facts: Facts) -> Advice | None:
    """A campaign that could afford validation has none."""
    if facts.validation_labels != 0 or facts.fit is None or len(facts.computed) < WORTH_VALIDATION:
        return None
    return Advice(
        Rule.NO_VALIDATION,
        "there is no validation, so nobody knows the error along the runs",
        "`validation: {labels: 20}` in the campaign file measures it on frames at random steps",
    )
