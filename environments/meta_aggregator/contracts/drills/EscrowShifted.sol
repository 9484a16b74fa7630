// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "../Escrow.sol";

/// @dev Bases come first in storage: this one pushes all that the escrow has kept to other places.
abstract contract FeesFirst {
    uint256 public feeBasisPoints;
    mapping(address account => uint256) public feesOf;
}

/// @title A release whose storage does not fit: one variable was added where the others begin.
contract EscrowShifted is FeesFirst, Escrow {
    function version() external pure override returns (string memory) {
        return "1.3.0";
    }
}
