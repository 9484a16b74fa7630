"""Lists as a phrase of a feature writes them."""

from __future__ import annotations

import re


def quoted(text: str) -> tuple[str, ...]:
    """Give the parts of `"one", "two"`."""
    return tuple(re.findall(r'"([^"]+)"', text))


def listed(text: str) -> tuple[str, ...]:
    """Give the parts of `one, two`."""
    return tuple(part.strip() for part in text.split(",") if part.strip())
