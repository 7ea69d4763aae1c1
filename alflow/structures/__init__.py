"""Files of structures, checks, and structures to start from."""

from __future__ import annotations
