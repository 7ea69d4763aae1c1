"""States of everything that the store keeps, and what labels are asked for. Stored by their values."""

from __future__ import annotations

from enum import StrEnum


class CampaignState(StrEnum):
    """running → finished | stopped | failed; an ended campaign can be set running again."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"


class RunState(StrEnum):
    """Of an explorer's run: ready → paused ⇄ … → finished | failed."""

    READY = "ready"
    PAUSED = "paused"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Whether the run has further to go."""
        return self in (RunState.READY, RunState.PAUSED)


class LabelState(StrEnum):
    """waiting → running → done | rejected | failed."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    REJECTED = "rejected"

    @property
    def is_ended(self) -> bool:
        """Whether nobody works on the label any more."""
        return self in (LabelState.DONE, LabelState.FAILED, LabelState.REJECTED)


class LabelKind(StrEnum):
    """What a label was asked for."""

    INITIAL = "initial"
    IMPORTED = "imported"
    EXTRAPOLATIVE = "extrapolative"
    VALIDATION = "validation"
    FINAL = "final"

    @property
    def is_held_out(self) -> bool:
        """Whether the label judges potentials, or has the last word, and is not trained on."""
        return self in (LabelKind.VALIDATION, LabelKind.FINAL)


class CandidateState(StrEnum):
    """Of a candidate crystal in a stage: waiting → (paused →) relaxed; then the next stage, or dropped."""

    WAITING = "waiting"
    PAUSED = "paused"
    RELAXED = "relaxed"
    DROPPED = "dropped"
    FINAL = "final"


class Dropped(StrEnum):
    """Why a candidate crystal was put aside; the sentence beside it tells the details."""

    UNUSABLE = "unusable"
    DUPLICATE = "duplicate"
    NOT_RELAXED = "not relaxed"
    NOT_LABELLED = "not labelled"
    ABOVE_HULL = "above the hull"
    QM_FAILED = "not relaxed by QM"


class ChunkState(StrEnum):
    """Of a portion of a screening's work."""

    READY = "ready"
    FINISHED = "finished"


class ChunkTask(StrEnum):
    """What is done with a portion of a screening's work."""

    GATHER = "gather"
    RELAX = "relax"


class Role(StrEnum):
    """What a task needs of the worker that runs it; the category of its firework."""

    EXPLORE = "explore"
    LABEL = "label"
    TRAIN = "train"
