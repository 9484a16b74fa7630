"""Faults break one thing each, prove that they did, and put back exactly that."""
