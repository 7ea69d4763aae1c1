"""Gather: the candidates of one source into the store."""

from __future__ import annotations
