"""Drillbook rehearses operations runbooks against a system that is really broken."""

__version__ = "0.1.0"
