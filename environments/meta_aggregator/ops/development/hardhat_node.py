"""What `npx hardhat node` does: become a development chain at 127.0.0.1:8545, chain id 31337, until it is stopped."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ops.development.chain import CHAIN_ID, HOST, PORT, command
from ops.development.project import Project, ProjectError
from ops.networks import HardhatError


def main() -> NoReturn:
    """Replace this process by the chain; exit 1 with the reason if the project has no Hardhat."""
    try:
        Project.here().require("hardhat")
    except (HardhatError, ProjectError) as error:
        sys.exit(str(error))
    print(f"Started HTTP JSON-RPC server at http://{HOST}:{PORT}/, chain {CHAIN_ID}", flush=True)
    argv = command()
    os.execvp(argv[0], argv)


if __name__ == "__main__":
    main()
