"""One scenario, conducted: steady state, traffic, fault, response, invariants; everything that happens goes to the journal."""

from drillbook.drill.conductor import Drill, Options

__all__ = ["Drill", "Options"]
