"""When: what breaks the escrow for those who only look at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pytest_bdd import when

from drillbook.backends.base import Environment
from drillbook.chain.client import ChainClient
from drillbook.drill import Drill
from drillbook.faults.base import ActiveFault
from drillbook.faults.proof import proven

PAUSED = "paused()(bool)"


@dataclass(frozen=True, slots=True)
class EscrowPaused:
    """Have its owner pause the escrow. Healing opens it again, unless somebody has."""

    kind: ClassVar[str] = "escrow-paused"

    @property
    def target(self) -> str:
        """The contract."""
        return "Escrow"

    def inject(self, environment: Environment) -> ActiveFault:
        """Pause, and see that the contract says so."""
        pause = _Pause(environment.chain_url(), environment.contract("Escrow"))
        pause.call("pause()")
        return proven(pause, pause.holds, "the escrow is not paused")


@dataclass(frozen=True, slots=True)
class _Pause:
    url: str
    contract: str

    def call(self, signature: str) -> None:
        """Send a transaction of the owner's."""
        with ChainClient(self.url) as client:
            client.invoke(client.accounts()[0], self.contract, signature)

    def holds(self) -> bool:
        """Say whether the contract is paused."""
        with ChainClient(self.url) as client:
            return bool(client.read(self.contract, PAUSED))

    def heal(self) -> None:
        """Unpause, if it is still paused."""
        if self.holds():
            self.call("unpause()")


@when("the escrow is paused")
def paused(drill: Drill) -> None:
    """Have the escrow's owner pause it: it takes no deposits and pays nobody."""
    drill.inject(EscrowPaused())
