"""A private kernel world for one run: production's names inside it, no way out of it, nothing left after it.

`enter` forks into it, `join` runs a program in one that is already there, `inside` proves where we are.
"""

from drillbook.sandbox.kernel import enter, join
from drillbook.sandbox.layout import DATA, Layout, inside, require_inside
from drillbook.sandbox.view import View

__all__ = ["DATA", "Layout", "View", "enter", "inside", "join", "require_inside"]
