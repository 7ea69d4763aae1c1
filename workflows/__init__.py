"""The loop on FireWorks: tasks, workflow builders, LaunchPad set-up, workers."""

from __future__ import annotations
