// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {EscrowMute} from "./EscrowMute.sol";

/// @title The broken release without its upgrade function, so that nothing can take its place. Trades can still be closed.
contract EscrowSealed is EscrowMute {
    error NotUpgradeable();

    function upgradeToAndCall(address, bytes calldata) external payable override {
        revert NotUpgradeable();
    }

    function version() external pure override returns (string memory) {
        return "1.2.1";
    }
}
