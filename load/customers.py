"""The customers of a load test, as Locust users: they browse, ask for quotes, place orders and cancel some of them.

How often each does what, and how many come, stands in environment.yaml under `loads`. Locust runs this file in a process of its
own; nothing else imports it.
"""

from __future__ import annotations

import random
import uuid
from collections import deque

from locust import FastHttpUser, task

PAIRS = (("ETH", "USDC", 10**17), ("USDC", "WETH", 25 * 10**7), ("DAI", "ETH", 5 * 10**20))
OPEN: deque[tuple[int, str]] = deque(maxlen=1000)
"""Orders that were placed here and not cancelled yet: (id, customer)."""


class Customer(FastHttpUser):
    """One customer."""

    @task
    def browse(self) -> None:
        """Look at the newest fifty orders."""
        self.client.get("/api/orders?limit=50", name="browse")

    @task
    def quote(self) -> None:
        """Ask what a swap would give."""
        sell, buy, amount = random.choice(PAIRS)
        self.client.get(f"/api/quote?sell_token={sell}&buy_token={buy}&sell_amount={amount}", name="quote")

    @task
    def place(self) -> None:
        """Place an order."""
        self._place()

    @task
    def cancel(self) -> None:
        """Cancel an order that was placed before; place one first where there is none."""
        if not OPEN and not self._place():
            return
        number, customer = OPEN.popleft()
        self.client.post(f"/api/orders/{number}/cancel", json={"customer": customer}, name="cancel")

    def _place(self) -> bool:
        """Place an order; say whether it was taken."""
        sell, buy, amount = random.choice(PAIRS)
        customer = f"0x{random.getrandbits(160):040x}"
        body = {"customer": customer, "sell_token": sell, "buy_token": buy, "sell_amount": str(amount)}
        headers = {"Idempotency-Key": f"locust-{uuid.uuid4()}"}
        answer = self.client.post("/api/orders", json=body, headers=headers, name="place")
        if answer.status_code != 201:
            return False
        OPEN.append((int(answer.json()["id"]), customer))
        return True
