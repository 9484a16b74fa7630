"""Encode calls and decode answers by Solidity's ABI, for human signatures such as `balanceOf(address)(uint256)`.

eth_abi does this in full, but importing it costs a quarter of a second in each process that only wants to ask a
contract one question. This is the part of the ABI specification that such questions need: value types, string, bytes
and `T[]`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from drillbook.errors import UsageError

WORD = 32
SIGNATURE = re.compile(r"\s*(?P<name>[A-Za-z_$][\w$]*)\((?P<inputs>[^()]*)\)\s*(?:\((?P<outputs>[^()]*)\))?\s*")
TYPE = re.compile(r"(?P<base>address|bool|string|bytes|bytes(?:[1-9]|[12]\d|3[0-2])|u?int\d{0,3})(?P<array>\[\])?")


class AbiError(UsageError):
    """Refuse a signature, a value or an answer that the ABI has no place for."""


@dataclass(frozen=True, slots=True)
class Signature:
    """A function: its name, the types that it takes and the types that it gives."""

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    selector: bytes

    def encode(self, arguments: Sequence[Any]) -> bytes:
        """Give the call's data: selector and arguments. Raises AbiError."""
        if len(arguments) != len(self.inputs):
            raise AbiError(f"{self.name} takes {len(self.inputs)} arguments, got {len(arguments)}")
        return self.selector + encode(self.inputs, arguments)

    def decode(self, answer: bytes) -> Any:
        """Give the answer's value: alone where one type is given, else a tuple. Raises AbiError."""
        values = decode(self.outputs, answer)
        return values[0] if len(values) == 1 else values


@lru_cache(maxsize=256)
def parse_signature(text: str) -> Signature:
    """Read `name(inputs)` or `name(inputs)(outputs)`, as `cast` of Foundry writes it. Raises AbiError."""
    found = SIGNATURE.fullmatch(text)
    if not found:
        raise AbiError(f"not a function's signature: {text!r}", mend="write it as paused()(bool)")
    inputs, outputs = _types(found["inputs"]), _types(found["outputs"] or "")
    return Signature(found["name"], inputs, outputs, keccak(f"{found['name']}({','.join(inputs)})".encode())[:4])


def _types(text: str) -> tuple[str, ...]:
    # A parameter may carry a location and a name after its type: "uint256 amount".
    return (
        tuple(_canonical(item.split()[0] if item.split() else "") for item in text.split(",")) if text.strip() else ()
    )


def _canonical(name: str) -> str:
    found = TYPE.fullmatch(name)
    if not found:
        raise AbiError(
            f"type {name!r} is not supported", mend="use address, bool, intN, uintN, bytesN, bytes, string, T[]"
        )
    base = found["base"] + "256" if found["base"] in ("int", "uint") else found["base"]
    bits = re.fullmatch(r"u?int(\d+)", base)
    if bits and (int(bits[1]) % 8 or not 8 <= int(bits[1]) <= 256):
        raise AbiError(f"type {name!r} does not exist: integers have 8 to 256 bits, in steps of 8")
    return base + (found["array"] or "")


def keccak(data: bytes) -> bytes:
    """Hash with Keccak-256, Ethereum's hash (not NIST's SHA3-256)."""
    from eth_hash.auto import keccak as digest

    return digest(data)


def checksum_address(address: bytes) -> str:
    """Write an address in mixed case, as EIP-55 does."""
    digits = address.hex()
    pattern = keccak(digits.encode()).hex()
    return "0x" + "".join(d.upper() if int(p, 16) >= 8 else d for d, p in zip(digits, pattern, strict=False))


def encode(types: Sequence[str], values: Sequence[Any]) -> bytes:
    """Encode values in order: words first, what is dynamic behind them."""
    head, tail = b"", b""
    for kind, value in zip(types, values, strict=True):
        if _is_dynamic(kind):
            head += _word(len(types) * WORD + len(tail))
            tail += _encode_dynamic(kind, value)
        else:
            head += _encode_word(kind, value)
    return head + tail


def decode(types: Sequence[str], data: bytes) -> tuple[Any, ...]:
    """Decode values in order; bytes beyond them are ignored, as Solidity ignores them."""
    return tuple(_decode_at(kind, data, position * WORD) for position, kind in enumerate(types))


def _is_dynamic(kind: str) -> bool:
    return kind in ("string", "bytes") or kind.endswith("[]")


def _encode_dynamic(kind: str, value: Any) -> bytes:
    if kind.endswith("[]"):
        return _word(len(value)) + encode([kind[:-2]] * len(value), value)
    content = value.encode() if kind == "string" and isinstance(value, str) else _bytes(kind, value)
    return _word(len(content)) + content + bytes(-len(content) % WORD)


def _encode_word(kind: str, value: Any) -> bytes:
    if kind == "bool":
        return _word(int(_expect(kind, value, bool)))
    if kind == "address":
        return _bytes(kind, value, 20).rjust(WORD, b"\0")
    if kind.startswith("bytes"):
        return _bytes(kind, value, int(kind[5:])).ljust(WORD, b"\0")
    number, bits = _expect(kind, value, int), int(kind.removeprefix("u")[3:])
    low, high = (0, 2**bits) if kind.startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1))
    if not low <= number < high:
        raise AbiError(f"{number} does not fit in {kind}")
    return _word(number % 2**256)


def _decode_at(kind: str, data: bytes, position: int) -> Any:
    if not _is_dynamic(kind):
        return _decode_word(kind, _slice(data, position, WORD))
    start = int.from_bytes(_slice(data, position, WORD))
    length = int.from_bytes(_slice(data, start, WORD))
    if kind.endswith("[]"):
        if length * WORD > len(data):
            raise AbiError(f"answer of {len(data)} bytes cannot hold {length} items")
        return list(decode([kind[:-2]] * length, data[start + WORD :]))
    content = _slice(data, start + WORD, length)
    return content.decode(errors="replace") if kind == "string" else content


def _decode_word(kind: str, word: bytes) -> Any:
    if kind == "bool":
        return any(word)
    if kind == "address":
        return checksum_address(word[12:])
    if kind.startswith("bytes"):
        return word[: int(kind[5:])]
    return int.from_bytes(word, signed=kind.startswith("int"))


def _slice(data: bytes, start: int, length: int) -> bytes:
    if start + length > len(data):
        raise AbiError(f"answer of {len(data)} bytes is too short: is there a contract at this address?")
    return data[start : start + length]


def _word(number: int) -> bytes:
    return number.to_bytes(WORD)


def _expect(kind: str, value: Any, wanted: type) -> Any:
    if type(value) is not wanted:
        raise AbiError(f"{kind} needs {wanted.__name__}, got {value!r}")
    return value


def _bytes(kind: str, value: Any, size: int | None = None) -> bytes:
    try:
        content = (
            bytes.fromhex(value.removeprefix("0x")) if isinstance(value, str) else bytes(_expect(kind, value, bytes))
        )
    except ValueError as error:
        raise AbiError(f"{kind} needs hex digits, got {value!r}") from error
    if size is not None and len(content) != size:
        raise AbiError(f"{kind} needs {size} bytes, got {len(content)}")
    return content
