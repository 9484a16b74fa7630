"""Filters that a client polls: each remembers up to which block it has been asked, so a poll gives only what is new."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from drillbook.chain.formats import data, format_logs
from drillbook.chain.ledger import Ledger, Mined
from drillbook.chain.parameters import LogQuery


@dataclass(slots=True)
class Filter:
    """`kind` is logs, blocks or transactions; `asked` is the first block that no poll has seen."""

    kind: str
    asked: int
    query: LogQuery | None = None

    def changes(self, ledger: Ledger) -> list[Any]:
        """Give what came since the last poll."""
        # After a revert the chain is shorter than what was seen: blocks at those heights are new again.
        self.asked = min(self.asked, len(ledger.blocks))
        fresh, self.asked = ledger.blocks[self.asked :], len(ledger.blocks)
        if self.query is not None:
            return matching_logs(fresh, self.query)
        if self.kind == "blocks":
            return [data(mined.block.hash) for mined in fresh]
        return [data(transaction.hash) for mined in fresh for transaction in mined.block.transactions]


def matching_logs(blocks: Iterable[Mined], query: LogQuery) -> list[dict[str, Any]]:
    """Give the logs of these blocks that a query wants, oldest first."""
    wanted = (
        mined for mined in blocks if query.first <= mined.number and (query.last is None or mined.number <= query.last)
    )
    return [log for mined in wanted for log in format_logs(mined, query)]
