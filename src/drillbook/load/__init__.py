"""Load tests: Locust drives a declared load from a process of its own; every request is kept, and judged as a whole.

The front: `run.LoadRun` runs one, `samples` gives its figures, `thresholds` what of the declared bounds is broken, `compare`
whether a run is slower than a recorded baseline by more than noise. Only `generator` imports Locust, and gevent's patches stay
in its process.
"""
