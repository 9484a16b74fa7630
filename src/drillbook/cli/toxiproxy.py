"""`drillbook toxiproxy`: the link server alone, for those who want nothing else of Drillbook."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("toxiproxy")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address of the HTTP API.")
@click.option(
    "--port", default=8474, show_default=True, type=click.IntRange(0, 65535), help="Port of the HTTP API; 0 is any."
)
@click.option(
    "--config", type=click.Path(path_type=Path, dir_okay=False), help="JSON list of proxies to create at start."
)
def command(host: str, port: int, config: Path | None) -> None:
    """Start Drillbook's own Toxiproxy server alone.

    It speaks the HTTP API of Shopify's Toxiproxy 2.12, so every client of that works unchanged. Ends on Ctrl-C.

    \b
    Examples:
      drillbook toxiproxy
      drillbook toxiproxy --port 9474 --config proxies.json
    """
    from drillbook.toxiproxy.server import run

    run(host, port, config)
