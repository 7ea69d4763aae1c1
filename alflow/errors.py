"""The error for wrong input of a user, in one sentence."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the message names the field or file, the value, and a correct value."""
