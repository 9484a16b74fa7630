"""The chain's newest blocks are replaced by others: what they held has not happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed
from drillbook.faults.base import ActiveFault, NothingToHeal
from drillbook.faults.chain import ask, node


@dataclass(frozen=True, slots=True)
class ChainReorg:
    """Replace the newest `depth` blocks by empty ones. Undone by the environment's reset.

    UnsupportedFault on a node that cannot (all but anvil).
    """

    kind: ClassVar[str] = "chain-reorg"
    depth: int = 1
    service: str | None = None

    @property
    def target(self) -> str:
        """The chain service, or what an environment with one of them calls it."""
        return self.service or "chain"

    def inject(self, environment: Environment) -> ActiveFault:
        """Reorganise, and see that the oldest of these blocks has another hash."""
        with node(environment, self.service) as client:
            height = client.block_number()
            if not 0 < self.depth <= height:
                raise EnvironmentFailed(f"the chain has {height} blocks: it cannot lose {self.depth}")
            number = hex(height - self.depth + 1)
            before = client.call("eth_getBlockByNumber", number, False)["hash"]
            ask(client, "anvil_reorg", self.depth, [], mend="put anvil on PATH")
            after = client.call("eth_getBlockByNumber", number, False)["hash"]
            if before == after:
                raise EnvironmentFailed(f"the fault did not take: block {number} is still {before}")
        return NothingToHeal()
