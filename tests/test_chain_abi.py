"""Our short ABI codec gives what eth_abi gives, and refuses what it cannot do."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode as encode_in_full
from eth_utils.address import to_checksum_address
from hypothesis import given
from hypothesis import strategies as st

from drillbook.chain.abi import AbiError, decode, encode, parse_signature

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "uint256": st.integers(0, 2**256 - 1),
    "uint8": st.integers(0, 255),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "bool": st.booleans(),
    "address": st.binary(min_size=20, max_size=20).map(to_checksum_address),
    "bytes32": st.binary(min_size=32, max_size=32),
    "bytes4": st.binary(min_size=4, max_size=4),
    "bytes": st.binary(max_size=100),
    "string": st.text(max_size=50),
    "uint256[]": st.lists(st.integers(0, 2**256 - 1), max_size=4),
    "string[]": st.lists(st.text(max_size=40), max_size=3),
}
TYPED = st.lists(
    st.sampled_from(sorted(VALUES)).flatmap(lambda kind: st.tuples(st.just(kind), VALUES[kind])), max_size=5
)


@given(TYPED)
def test_same_bytes_as_eth_abi_and_back(typed: list[tuple[str, Any]]) -> None:
    types, values = [kind for kind, _ in typed], [value for _, value in typed]
    encoded = encode(types, values)
    assert encoded == encode_in_full(types, values)
    assert list(decode(types, encoded)) == values


@given(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4), st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(types: list[str], data: bytes) -> None:
    try:
        values = decode(types, data)
    except AbiError:
        values = None
    assert values is None or len(values) == len(types)
    # Words alone are refused only when they are missing.
    if not any(kind.endswith("[]") or kind in ("bytes", "string") for kind in types):
        assert (values is None) == (len(data) < 32 * len(types))


def test_signature_gives_the_selector_that_solidity_gives() -> None:
    transfer = parse_signature("transfer(address to, uint amount)(bool)")
    assert transfer.selector.hex() == "a9059cbb"
    assert transfer.inputs == ("address", "uint256")
    assert parse_signature("paused()").selector.hex() == "5c975abb"


@pytest.mark.parametrize("text", ["paused", "paused(", "f(float)", "f(uint7)", "f(bytes33)", "f((uint256,bool))", ""])
def test_other_signatures_are_refused(text: str) -> None:
    with pytest.raises(AbiError):
        parse_signature(text)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("uint8", 256),
        ("uint8", -1),
        ("int8", 128),
        ("uint256", True),
        ("bool", 1),
        ("address", "0x12"),
        ("bytes4", "0xz"),
    ],
)
def test_values_that_do_not_fit_are_refused(kind: str, value: object) -> None:
    with pytest.raises(AbiError):
        encode([kind], [value])
