"""A twin of the CoinGecko API v3 as a keyless caller meets it: ping, simple prices, a rate limit with its own body."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.serving import Listener, Twin, serve

USD = {"ethereum": 3000.0, "weth": 3000.0, "usd-coin": 1.0, "tether": 1.0, "dai": 1.0, "bitcoin": 60000.0}
PER_USD = {"usd": 1.0, "eur": 0.92, "eth": 1 / 3000.0}
RATE_LIMIT_MESSAGE = (
    "You've exceeded the Rate Limit. Please visit https://www.coingecko.com/en/api/pricing "
    "to subscribe to our API plans for higher rate limits."
)


def failure(status: int, retry_after: int | None) -> Response:
    """Fail in CoinGecko's shape."""
    message = RATE_LIMIT_MESSAGE if status == 429 else f"HTTP {status}"
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return JSONResponse({"status": {"error_code": status, "error_message": message}}, status, headers)


async def ping(_: Request) -> Response:
    """Answer the API's greeting."""
    return JSONResponse({"gecko_says": "(V3) To the Moon!"})


async def simple_price(request: Request) -> Response:
    """Answer prices of `ids` in `vs_currencies`; what is unknown is left out, as the real one does."""
    missing = [name for name in ("vs_currencies", "ids") if not request.query_params.get(name)]
    if missing:
        return JSONResponse({"error": f"Missing parameter {missing[0]}"}, 422)
    ids, currencies = (request.query_params[name].lower().split(",") for name in ("ids", "vs_currencies"))
    return JSONResponse({i: {c: USD[i] * PER_USD[c] for c in currencies if c in PER_USD} for i in ids if i in USD})


if __name__ == "__main__":
    routes = [Route("/api/v3/ping", ping), Route("/api/v3/simple/price", simple_price)]
    serve(Listener(Twin(failure=failure, key_header="x-cg-demo-api-key").application(routes)))
