"""What goes wrong with which configuration: the plan of the stand-ins for programs."""

from __future__ import annotations

import fcntl
import hashlib
import json
from pathlib import Path

RIGHT = "right"


def planted_mode(setting: str, configuration: str) -> str:
    """The mode in which to compute `configuration` (a text).

    `setting` is the mode, or the path of a JSON file {"modes": [...], "probability": p}. Without a
    probability the n-th configuration that comes meets the n-th mode, and all beyond are right; with one,
    that part of all meets one of the modes, chosen by a hash. Retries meet the same again.
    """
    if not setting.endswith(".json"):
        return setting
    plan = json.loads(Path(setting).read_text())
    identity = hashlib.sha256(configuration.encode()).hexdigest()
    with Path(setting).with_suffix(".met").open("a+") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        log.seek(0)
        met = dict(json.loads(line) for line in log)
        mode = met[identity] if identity in met else _choose(plan, identity, len(met))
        log.write(json.dumps([identity, mode]) + "\n")
    return mode


def _choose(plan: dict, identity: str, count: int) -> str:
    modes = plan["modes"]
    if "probability" not in plan:
        return modes[count] if count < len(modes) else RIGHT
    draw = int(identity[:12], 16) / 16**12 / plan["probability"]
    return modes[int(draw * len(modes))] if draw < 1 else RIGHT
