"""The developer's checkout in the current folder: its dependencies, its compiled contracts, its arbiters, its deployments.

What node, npx and npm would find there is looked for in the same places, so that a checkout that lacks something fails at
the same step, for the same reason.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from drillbook.chain.abi import keccak
from ops.networks import HardhatError

ZERO = "0x" + "00" * 20


class ProjectError(Exception):
    """Tell what the checkout lacks, in one line."""


@dataclass(frozen=True, slots=True)
class LocalDeployment:
    """Where a development chain has the escrow: written by the deployment, read by the scripts after it."""

    escrow: str
    implementation: str
    arbiter: str
    chain_id: int


@dataclass(frozen=True, slots=True)
class Project:
    """A checkout; `folder` holds its package.json."""

    folder: Path

    @classmethod
    def here(cls) -> Project:
        """Give the project of the current folder; HardhatError HH1 outside one."""
        folder = Path.cwd()
        if not (folder / "package.json").is_file():
            raise HardhatError(1, f"You are not inside a Hardhat project: there is no package.json in {folder}")
        return cls(folder)

    def require(self, tool: str) -> None:
        """See that a tool has been installed here; ProjectError in npx's words if it has not."""
        if not (self.folder / "node_modules" / ".bin" / tool).is_file():
            raise ProjectError(f'npm error npx canceled due to missing packages and no YES option: ["{tool}"]')

    def artifact(self, name: str) -> str:
        """Give the bytecode that creates a contract, as hex; HardhatError HH700 if it is not compiled."""
        try:
            return str(self._json(f"contracts/artifacts/{name}.json")["bytecode"])
        except (ProjectError, KeyError):
            raise HardhatError(700, f'Artifact for contract "{name}" not found.') from None

    def arbiter(self, network: str) -> str:
        """Give the address that arbiters.json declares for a network; ProjectError if it cannot be one."""
        address = self._json("arbiters.json").get(network)
        if address is None:
            raise ProjectError(f"arbiters.json declares no arbiter for {network}")
        if address != checksummed(str(address)) or address == ZERO:
            raise ProjectError(
                f"arbiters.json: {address} is no address, or its checksum (EIP-55) is wrong: a typing error?"
            )
        return str(address)

    def save(self, network: str, deployment: LocalDeployment) -> None:
        """Write deployments/NETWORK.json."""
        file = self._deployment_file(network)
        file.parent.mkdir(exist_ok=True)
        file.write_text(json.dumps(asdict(deployment), indent=2) + "\n")

    def deployment(self, network: str) -> LocalDeployment:
        """Give what was deployed on a network; ProjectError if nothing was."""
        file = self._deployment_file(network)
        if not file.is_file():
            raise ProjectError(f"nothing has been deployed on {network}: run scripts/deployWithCorrectArbiter.js first")
        return LocalDeployment(**json.loads(file.read_text()))

    def _deployment_file(self, network: str) -> Path:
        return self.folder / "deployments" / f"{network}.json"

    def _json(self, name: str) -> dict[str, Any]:
        try:
            read: dict[str, Any] = json.loads((self.folder / name).read_text())
        except (OSError, ValueError) as error:
            raise ProjectError(f"{name} cannot be read: {error}") from None
        return read


def checksummed(address: str) -> str:
    """Give an address with the capitals that make a typing error show (EIP-55); "" for what is none."""
    plain = address.lower().removeprefix("0x")
    if len(plain) != 40 or set(plain) - set("0123456789abcdef"):
        return ""
    digest = keccak(plain.encode()).hex()
    return "0x" + "".join(c.upper() if int(d, 16) >= 8 else c for c, d in zip(plain, digest, strict=False))
