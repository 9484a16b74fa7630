"""The command line: thin, quick to start, and the one place where an error becomes a message and an exit code."""

from drillbook.cli.entry import main

__all__ = ["main"]
