"""Convex-hull screening: candidate crystals, the hull, and what to keep near it."""

from __future__ import annotations
