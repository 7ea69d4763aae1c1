"""What a person did wrong, said in one sentence."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: the message names the field or file, the value, and what would be right."""
