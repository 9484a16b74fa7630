"""The API's own numbers in Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from time import monotonic, process_time, time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """ASGI: counts every request and its seconds until the answer is complete, by method, route and status."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner
        self._requests: Counter[tuple[str, str, int]] = Counter()
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0
        self._began = time()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        started, status = monotonic(), 500

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._inner(scope, receive, watch)
        finally:
            self._count(scope, status, monotonic() - started)

    def _count(self, scope: Scope, status: int, seconds: float) -> None:
        # The route, not the path: one series for all orders. Starlette leaves the endpoint in the scope.
        endpoint = getattr(scope.get("endpoint"), "__name__", "none")
        self._requests[(scope["method"], endpoint, status)] += 1
        self._seconds += seconds
        self._buckets.update(bound for bound in BUCKETS if seconds <= bound)

    def render(self, pool: Mapping[str, int], circuits: Mapping[str, bool]) -> str:
        """Give the exposition: requests, seconds, the connection pool's counters, open circuits, its CPU time."""
        total = sum(self._requests.values())
        lines = ["# TYPE orders_api_requests_total counter"]
        lines += [
            f'orders_api_requests_total{{method="{method}",handler="{endpoint}",status="{status}"}} {count}'
            for (method, endpoint, status), count in sorted(self._requests.items())
        ]
        lines.append("# TYPE orders_api_request_seconds histogram")
        lines += [f'orders_api_request_seconds_bucket{{le="{b}"}} {self._buckets[b]}' for b in BUCKETS]
        lines.append(f'orders_api_request_seconds_bucket{{le="+Inf"}} {total}')
        lines.append(f"orders_api_request_seconds_sum {self._seconds:.6f}")
        lines.append(f"orders_api_request_seconds_count {total}")
        lines.append("# TYPE orders_api_pool gauge")
        lines += [f'orders_api_pool{{name="{name}"}} {value}' for name, value in sorted(pool.items())]
        # By the names of Prometheus' own client libraries; the start tells one replica's figures from another's.
        lines += ["# TYPE process_cpu_seconds_total counter", f"process_cpu_seconds_total {process_time():.6f}"]
        lines += ["# TYPE process_start_time_seconds gauge", f"process_start_time_seconds {self._began:.6f}"]
        lines.append("# TYPE orders_api_circuit_open gauge")
        lines += [f'orders_api_circuit_open{{name="{name}"}} {int(is_open)}' for name, is_open in circuits.items()]
        return "\n".join(lines) + "\n"
