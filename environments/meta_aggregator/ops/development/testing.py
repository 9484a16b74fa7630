"""Runs the checkout's test suites against the checkout's own code, and exits as a test runner must.

The suites are unittest modules in the checkout's folder suites/. Contract suites get a fresh chain, as Hardhat gives its
tests one, in the variable LOCAL_CHAIN_URL.
"""

from __future__ import annotations

import os
import sys
import unittest
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from drillbook.errors import EnvironmentFailed
from ops.development.chain import fresh_chain
from ops.development.project import Project, ProjectError
from ops.development.workspace_code import use_checkout
from ops.networks import HardhatError

CHAIN = "LOCAL_CHAIN_URL"


def run(suites: Sequence[str], *, tool: str, chain: bool = False) -> int:
    """Run suites by their module names; 0 only if there were tests and all of them passed. `tool` must be installed."""
    try:
        project = Project.here()
        project.require(tool)
        use_checkout(project.folder)
        with _chain() if chain else _no_chain():
            return _run([f"suites.{name}" for name in suites])
    except (HardhatError, ProjectError, EnvironmentFailed) as error:
        print(error, file=sys.stderr)
        return 1


def _run(modules: Sequence[str]) -> int:
    # A module that cannot be imported becomes a test that fails.
    tests = unittest.defaultTestLoader.loadTestsFromNames(modules)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2).run(tests)
    if result.testsRun == 0:
        print(f"no tests in {', '.join(modules)}", file=sys.stderr)
    return 0 if result.wasSuccessful() and result.testsRun else 1


@contextmanager
def _chain() -> Iterator[None]:
    with fresh_chain() as url:
        os.environ[CHAIN] = url
        yield


@contextmanager
def _no_chain() -> Iterator[None]:
    yield
