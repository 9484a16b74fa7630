// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EscrowUnguarded} from "./EscrowUnguarded.sol";

/// @title The unguarded release with its doors welded shut: nobody can pause it, and nobody can replace it.
contract EscrowUnpausable is EscrowUnguarded {
    error NotPausable();
    error NotUpgradeable();

    function pause() external pure override {
        revert NotPausable();
    }

    function upgradeToAndCall(address, bytes calldata) external payable override {
        revert NotUpgradeable();
    }

    function version() external pure override returns (string memory) {
        return "1.1.1";
    }
}
