"""Files of structures, checks, and starting structures."""

from __future__ import annotations
