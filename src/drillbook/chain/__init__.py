"""An Ethereum node for the sandbox, and a client for it.

Imports nothing, so that a process pays only for the half that it uses: the node costs py-evm, the client httpx.
"""
