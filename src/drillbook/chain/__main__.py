"""`python -m drillbook.chain`: serve a chain until SIGTERM. Written to start quickly: every drill waits for it."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from typing import NoReturn

from drillbook.chain.command import ACCOUNTS, BALANCE, MNEMONIC
from drillbook.chain.curves import defer_pairings

WEI = 10**18


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m drillbook.chain", description="Serve an Ethereum chain for drills."
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=8545, help="port to listen on; 0 takes a free one and prints it")
    parser.add_argument("--chain-id", type=int, default=31337)
    parser.add_argument("--mnemonic", default=MNEMONIC, help="BIP-39 words from which the accounts are derived")
    parser.add_argument("--accounts", type=int, default=ACCOUNTS, help="how many accounts")
    parser.add_argument("--balance", type=int, default=BALANCE, help="Ether of each account")
    return parser.parse_args(arguments)


def stop(*_: object) -> NoReturn:
    """End the process from the main thread, which sits in the server's loop."""
    raise SystemExit(0)


def main() -> None:
    """Build the chain, listen, serve."""
    options = parse_arguments()
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # Importing py-evm makes much to keep and little garbage: collecting it costs a twelfth of the import.
    gc.disable()
    defer_pairings()
    from drillbook.chain.ledger import Ledger
    from drillbook.chain.node import Node
    from drillbook.chain.rpc import Dispatcher
    from drillbook.chain.server import ChainServer

    ledger = Ledger(options.chain_id, options.mnemonic, options.accounts, options.balance * WEI)
    dispatcher = Dispatcher(Node(ledger))
    gc.freeze()
    gc.enable()
    try:
        server = ChainServer(options.host, options.port, dispatcher)
    except OSError as error:
        sys.exit(f"cannot listen on {options.host}:{options.port}: {error}")
    print(f"chain {options.chain_id} at http://{options.host}:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
