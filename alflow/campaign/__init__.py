"""Campaign files: the shared parts of all kinds, and the reader."""

from __future__ import annotations
