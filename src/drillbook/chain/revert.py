"""Say what a contract meant by reverting, in words: Solidity's `Error(string)`, `Panic(uint256)`, a custom error."""

from __future__ import annotations

ERROR_STRING = bytes.fromhex("08c379a0")
PANIC = bytes.fromhex("4e487b71")
PANIC_REASONS = {
    0x01: "assert(false)",
    0x11: "arithmetic overflow or underflow",
    0x12: "division or modulo by zero",
    0x21: "enum out of range",
    0x22: "invalid encoded storage byte array",
    0x31: "pop on an empty array",
    0x32: "array index out of bounds",
    0x41: "out of memory",
    0x51: "uninitialized function",
}
"""Solidity's documentation, "Panic via assert and Error via require"."""


def describe_revert(data: bytes) -> str:
    """Give `execution reverted` and, where the data says it, why."""
    selector, body = data[:4], data[4:]
    if selector == ERROR_STRING and len(body) >= 64:
        length = int.from_bytes(body[32:64])
        return "execution reverted: " + body[64 : 64 + length].decode(errors="replace")
    if selector == PANIC and len(body) == 32:
        code = int.from_bytes(body)
        return f"execution reverted: panic: {PANIC_REASONS.get(code, 'unknown')} ({code:#04x})"
    if len(selector) == 4:
        return f"execution reverted: custom error 0x{selector.hex()}"
    return "execution reverted"
