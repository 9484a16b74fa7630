"""Gas becomes dear: blocks take only what tips much, everything else waits in the pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.faults.base import ActiveFault
from drillbook.faults.chain import GWEI, ask, node
from drillbook.faults.proof import proven

OWN_NODE = "take anvil off PATH: it mines whatever it accepts, Drillbook's own node has a pool"


@dataclass(frozen=True, slots=True)
class GasPriceSpike:
    """Let blocks take only transactions that tip `tip_gwei` for each gas. Healing restores the former price.

    UnsupportedFault on a node whose blocks have no least tip (anvil).
    """

    kind: ClassVar[str] = "gas-price-spike"
    tip_gwei: int = 5
    service: str | None = None

    @property
    def target(self) -> str:
        """The chain service, or what an environment with one of them calls it."""
        return self.service or "chain"

    def inject(self, environment: Environment) -> ActiveFault:
        """Raise the price, and see that the node's blocks ask it."""
        with node(environment, self.service) as client:
            before = int(ask(client, "miner_gasPrice", mend=OWN_NODE), 16)
        dear = _Dear(environment, self.service, before, self.tip_gwei * GWEI)
        dear.ask_for(dear.wanted)
        return proven(dear, dear.there, f"the node's blocks do not ask {self.tip_gwei} gwei")


@dataclass(frozen=True, slots=True)
class _Dear:
    environment: Environment
    service: str | None
    before: int
    wanted: int

    def ask_for(self, wei: int) -> None:
        """Set what blocks ask."""
        with node(self.environment, self.service) as client:
            client.call("miner_setGasPrice", hex(wei))

    def there(self) -> bool:
        """Tell whether blocks ask the raised price."""
        with node(self.environment, self.service) as client:
            return int(client.call("miner_gasPrice"), 16) == self.wanted

    def heal(self) -> None:
        """Restore the price; what waited and pays it is mined."""
        self.ask_for(self.before)
