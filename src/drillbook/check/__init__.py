"""Runbooks checked without running them: Markdown in, findings out, each with a code, a place, a reason and a mend.

`rules/README.md` says how a rule is written.
"""

from drillbook.check.document import Block, Document, Kind, Link, Prose, read_document
from drillbook.check.engine import check_text
from drillbook.check.finding import Edit, Finding, Place, Severity
from drillbook.check.options import Options, Repository
from drillbook.check.rule import Example, Found, Replacement, Rule, Span
from drillbook.check.shell import Assignment, Comment, Loop, Pipeline, Redirect, Role, SimpleCommand, Use, Word

__all__ = [
    "Assignment",
    "Block",
    "Comment",
    "Document",
    "Edit",
    "Example",
    "Finding",
    "Found",
    "Kind",
    "Link",
    "Loop",
    "Options",
    "Pipeline",
    "Place",
    "Prose",
    "Redirect",
    "Replacement",
    "Repository",
    "Role",
    "Rule",
    "Severity",
    "SimpleCommand",
    "Span",
    "Use",
    "Word",
    "check_text",
    "read_document",
]
