"""Where a system runs: one seam, `base.py`, and a folder for each kind of backend."""
