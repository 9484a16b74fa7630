// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @title What a later release looks like: the same storage, one variable more, a call made while upgrading.
contract EscrowNext is Escrow {
    uint256 public feeBasisPoints;

    error OnlyWhileUpgrading();

    function setFee(uint256 basisPoints) external {
        if (feeBasisPoints != 0) revert OnlyWhileUpgrading();
        feeBasisPoints = basisPoints;
    }

    function version() external pure override returns (string memory) {
        return "2.0.0";
    }
}
