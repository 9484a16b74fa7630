// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @title A seller that, when it is paid, tries to be paid again.
/// @dev It is also the buyer of both orders, so only the lock and the settled state stand in its way.
contract Reentrant {
    Escrow private immutable ESCROW;
    bytes32 private _next;
    bool public tried;
    bool public succeeded;
    bytes public answer;

    constructor(Escrow escrow) {
        ESCROW = escrow;
    }

    function depositFor(bytes32 orderId) external payable {
        ESCROW.depositFor{value: msg.value}(orderId, address(this));
    }

    /// @notice Confirm one order, and `next` from within its payment.
    function attack(bytes32 orderId, bytes32 next) external {
        _next = next;
        ESCROW.confirm(orderId);
    }

    receive() external payable {
        tried = true;
        (succeeded, answer) = address(ESCROW).call(abi.encodeCall(Escrow.confirm, (_next)));
    }
}
