// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @title A release that keeps a list of every order beside the deposits, so that each deposit costs more gas.
contract EscrowCostly is Escrow {
    bytes32[] private _orders;
    mapping(bytes32 orderId => uint256) private _position;

    function depositFor(bytes32 orderId, address seller) external payable override whenRunning {
        if (msg.value == 0) revert NothingDeposited();
        if (seller == address(0)) revert ZeroAddress();
        if (_deposits[orderId].state != State.None) revert AlreadyDeposited(orderId);
        _deposits[orderId] = Deposit({buyer: msg.sender, state: State.Open, seller: seller, amount: msg.value});
        _openCount += 1;
        _openTotal += msg.value;
        _orders.push(orderId);
        _position[orderId] = _orders.length;
        emit Deposited(orderId, msg.sender, seller, msg.value);
    }

    function version() external pure override returns (string memory) {
        return "1.4.0";
    }
}
