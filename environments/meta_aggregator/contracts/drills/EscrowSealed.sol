// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @title A release without its upgrade function, which can no longer say what it owes. Trades can still be closed.
contract EscrowSealed is Escrow {
    error NotUpgradeable();
    error TotalUnknown();

    function upgradeToAndCall(address, bytes calldata) external payable override {
        revert NotUpgradeable();
    }

    function openTotal() external pure override returns (uint256) {
        revert TotalUnknown();
    }

    function version() external pure override returns (string memory) {
        return "1.2.0";
    }
}
