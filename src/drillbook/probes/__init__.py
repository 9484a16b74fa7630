"""Probes look at the system from outside, all through a drill: one observation of one thing each."""
