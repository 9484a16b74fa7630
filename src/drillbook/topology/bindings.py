"""Which command line a pattern of the environment file means.

Kept free of pydantic and of the model, because every shim on the runbook's PATH imports it before it does its work.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import lru_cache

ONE = "*"
REST = "**"


def match(pattern: str, argv: Sequence[str | None]) -> bool:
    """Tell whether `argv`, the words of one command, fits `pattern`.

    `*` stands for exactly one word, a final `**` for any rest, none included; every other word stands for itself.
    A word that is None (not known before a shell expands it) fits anything. Raises ValueError as `pattern_words` does.
    """
    expected = pattern_words(pattern)
    if expected[-1] == REST:
        expected = expected[:-1]
        argv = argv[: len(expected)]
    return len(expected) == len(argv) and all(
        word is None or want in (ONE, word) for want, word in zip(expected, argv, strict=True)
    )


@lru_cache(maxsize=256)
def pattern_words(pattern: str) -> tuple[str, ...]:
    """Split a pattern into its words, as a shell would; ValueError says in words what is wrong with it."""
    try:
        words = tuple(shlex.split(pattern))
    except ValueError as error:
        raise ValueError(f"its quotes do not close ({error})") from error
    if not words or words[0] in (ONE, REST, ""):
        raise ValueError("it must begin with the name of a program")
    if REST in words[:-1]:
        raise ValueError("`**` stands for the rest, so it can only be the last word")
    return words


def command_words(text: str) -> tuple[str, ...]:
    """Split a command's text into words, as a shell would; by white space where its quotes do not close."""
    try:
        return tuple(shlex.split(text))
    except ValueError:
        return tuple(text.split())
