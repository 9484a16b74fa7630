// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Escrow} from "./Escrow.sol";

/// @title Says whether the escrow's money is safe, in one call: balance, debts and pause are of one block.
/// @dev A contract of its own, because the one that it watches may be the one that is wrong.
contract EscrowWatch {
    Escrow public immutable ESCROW;

    constructor(Escrow escrow) {
        ESCROW = escrow;
    }

    /// @notice True while the escrow holds what it owes, or is paused so that nothing can leave.
    function safe() external view returns (bool) {
        return ESCROW.paused() || address(ESCROW).balance >= ESCROW.openTotal();
    }
}
