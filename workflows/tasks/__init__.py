"""FireTasks, one file each: they unpack ids, call the science, and store."""

from __future__ import annotations
