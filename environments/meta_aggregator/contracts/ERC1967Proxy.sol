// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title A proxy that keeps its implementation's address in the slot that ERC-1967 names.
/// @notice It has no administration of its own: the implementation upgrades itself (ERC-1822 style).
contract ERC1967Proxy {
    /// keccak256("eip1967.proxy.implementation") - 1
    bytes32 internal constant IMPLEMENTATION_SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;

    event Upgraded(address indexed implementation);

    error NotAContract(address implementation);

    /// @param implementation the contract whose code runs here
    /// @param data a call made to it at once, in the same transaction, so that nobody can initialise it first
    constructor(address implementation, bytes memory data) payable {
        if (implementation.code.length == 0) revert NotAContract(implementation);
        assembly ("memory-safe") {
            sstore(IMPLEMENTATION_SLOT, implementation)
        }
        emit Upgraded(implementation);
        (bool ok, bytes memory answer) = implementation.delegatecall(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    fallback() external payable {
        _delegate();
    }

    receive() external payable {
        _delegate();
    }

    function _delegate() private {
        assembly {
            // This call never returns to Solidity, so it may use memory from 0.
            calldatacopy(0, 0, calldatasize())
            let ok := delegatecall(gas(), sload(IMPLEMENTATION_SLOT), 0, calldatasize(), 0, 0)
            returndatacopy(0, 0, returndatasize())
            switch ok
            case 0 { revert(0, returndatasize()) }
            default { return(0, returndatasize()) }
        }
    }
}
