"""An account's earlier transaction pays too little and is never mined, and every later one of the account waits behind it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from drillbook.backends.base import Environment
from drillbook.errors import EnvironmentFailed, UnsupportedFault
from drillbook.faults.base import ActiveFault
from drillbook.faults.chain import GWEI, node
from drillbook.faults.gas_price_spike import GasPriceSpike

CHEAP = GWEI
"""Wei of tip for each gas that the stuck transaction offers."""


@dataclass(frozen=True, slots=True)
class StuckTransaction:
    """Raise the price of gas to `tip_gwei`, and send a transaction of the node's account number `account` that tips less.

    Healing restores the price, with which the transaction goes through unless it was replaced.
    """

    kind: ClassVar[str] = "stuck-transaction"
    account: int = 0
    tip_gwei: int = 5
    service: str | None = None

    @property
    def target(self) -> str:
        """The chain service, or what an environment with one of them calls it."""
        return self.service or "chain"

    def inject(self, environment: Environment) -> ActiveFault:
        """Send it, and see that it waits."""
        if self.tip_gwei * GWEI <= CHEAP:
            raise UnsupportedFault(f"a price of {self.tip_gwei} gwei holds nothing up", mend="raise it above 1 gwei")
        dear = GasPriceSpike(self.tip_gwei, self.service).inject(environment)
        try:
            with node(environment, self.service) as client:
                account = client.accounts()[self.account]
                price = {"maxPriorityFeePerGas": hex(CHEAP), "maxFeePerGas": hex(100 * GWEI)}
                sent = client.call("eth_sendTransaction", {"from": account, "to": account, "gas": "0x5208", **price})
                if client.call("eth_getTransactionReceipt", sent) is not None:
                    raise EnvironmentFailed(f"the fault did not take: {sent} was mined at once")
        except BaseException:
            dear.heal()
            raise
        return dear
