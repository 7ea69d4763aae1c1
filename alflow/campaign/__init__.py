"""Campaign files: what all kinds share, and reading them."""

from __future__ import annotations
