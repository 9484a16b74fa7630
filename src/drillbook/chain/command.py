"""Which program serves a chain: anvil when it is installed, because it is what teams use; else our own node.

Both take the same mnemonic, so both have the same accounts and give a contract the same address.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping

MNEMONIC = "test test test test test test test test test test test junk"
"""The published development mnemonic of Hardhat and anvil: its keys are known to everybody and worth nothing."""
ACCOUNTS = 10
BALANCE = 10_000
"""Ether of each account at the start."""


def chain_command(host: str, port: int, chain_id: int, environ: Mapping[str, str]) -> list[str]:
    """Give the command line that serves a chain at host and port; `environ`'s PATH is where anvil is looked for."""
    common = ["--host", host, "--port", str(port), "--chain-id", str(chain_id), "--mnemonic", MNEMONIC]
    common += ["--accounts", str(ACCOUNTS), "--balance", str(BALANCE)]
    anvil = shutil.which("anvil", path=environ.get("PATH", ""))
    if anvil:
        return [anvil, *common, "--silent"]
    return [sys.executable, "-m", "drillbook.chain", *common]
