// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title Holds the money of a trade until the buyer has what was bought.
/// @notice A buyer deposits for an order. The buyer or the arbiter confirms, which pays the seller; the seller or the
/// arbiter refunds, which pays the buyer. The owner can pause all of it, and can upgrade the code behind the proxy.
contract Escrow {
    enum State {
        None,
        Open,
        Confirmed,
        Refunded
    }

    struct Deposit {
        address buyer;
        State state;
        address seller;
        uint256 amount;
    }

    /// keccak256("eip1967.proxy.implementation") - 1
    bytes32 internal constant IMPLEMENTATION_SLOT = 0x360894a13ba1a3210667c828492db98dca3e2076cc3735a920a3ca505d382bbc;
    uint8 internal constant LOCKED = type(uint8).max;
    address private immutable SELF = address(this);

    // Storage. Behind a proxy its order is for ever: append only, and shorten the gap by what is appended.
    address internal _owner;
    uint8 internal _initialised;
    bool internal _paused;
    bool internal _entered;
    address internal _arbiter;
    uint256 internal _openCount;
    uint256 internal _openTotal;
    mapping(bytes32 orderId => Deposit) internal _deposits;
    uint256[45] internal _gap;

    event Deposited(bytes32 indexed orderId, address indexed buyer, address indexed seller, uint256 amount);
    event Confirmed(bytes32 indexed orderId, address indexed seller, uint256 amount);
    event Refunded(bytes32 indexed orderId, address indexed buyer, uint256 amount);
    event Paused(address indexed by);
    event Unpaused(address indexed by);
    event ArbiterChanged(address indexed from, address indexed to);
    event OwnershipTransferred(address indexed from, address indexed to);
    event Upgraded(address indexed implementation);

    error AlreadyInitialised();
    error NotOwner(address caller);
    error NotAllowed(bytes32 orderId, address caller);
    error IsPaused();
    error IsNotPaused();
    error Reentered();
    error ZeroAddress();
    error NothingDeposited();
    error AlreadyDeposited(bytes32 orderId);
    error NotOpen(bytes32 orderId, State state);
    error PaymentFailed(address to, uint256 amount);
    error OnlyThroughProxy();
    error NotAnImplementation(address implementation);

    modifier onlyOwner() {
        if (msg.sender != _owner) revert NotOwner(msg.sender);
        _;
    }

    modifier whenRunning() {
        if (_paused) revert IsPaused();
        _;
    }

    modifier once() {
        if (_entered) revert Reentered();
        _entered = true;
        _;
        _entered = false;
    }

    /// The implementation itself belongs to nobody, and can be initialised by nobody.
    constructor() {
        _initialised = LOCKED;
    }

    function initialize(address owner_, address arbiter_) external {
        if (_initialised != 0) revert AlreadyInitialised();
        if (owner_ == address(0) || arbiter_ == address(0)) revert ZeroAddress();
        _initialised = 1;
        _owner = owner_;
        _arbiter = arbiter_;
        emit OwnershipTransferred(address(0), owner_);
        emit ArbiterChanged(address(0), arbiter_);
    }

    // Trades

    /// @notice Deposit the value sent, for an order; the sender is its buyer.
    function depositFor(bytes32 orderId, address seller) external payable virtual whenRunning {
        if (msg.value == 0) revert NothingDeposited();
        if (seller == address(0)) revert ZeroAddress();
        if (_deposits[orderId].state != State.None) revert AlreadyDeposited(orderId);
        _deposits[orderId] = Deposit({buyer: msg.sender, state: State.Open, seller: seller, amount: msg.value});
        _openCount += 1;
        _openTotal += msg.value;
        emit Deposited(orderId, msg.sender, seller, msg.value);
    }

    /// @notice Pay the seller. For the buyer or the arbiter.
    function confirm(bytes32 orderId) external whenRunning once {
        Deposit storage found = _close(orderId, State.Confirmed, _deposits[orderId].buyer);
        emit Confirmed(orderId, found.seller, found.amount);
        _pay(found.seller, found.amount);
    }

    /// @notice Pay the buyer back. For the seller or the arbiter.
    function refund(bytes32 orderId) external virtual whenRunning once {
        Deposit storage found = _close(orderId, State.Refunded, _deposits[orderId].seller);
        emit Refunded(orderId, found.buyer, found.amount);
        _pay(found.buyer, found.amount);
    }

    function _close(bytes32 orderId, State state, address party) private returns (Deposit storage found) {
        found = _deposits[orderId];
        if (found.state != State.Open) revert NotOpen(orderId, found.state);
        if (msg.sender != party && msg.sender != _arbiter) revert NotAllowed(orderId, msg.sender);
        // All state is settled before any money moves.
        found.state = state;
        _openCount -= 1;
        _openTotal -= found.amount;
    }

    function _pay(address to, uint256 amount) internal {
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert PaymentFailed(to, amount);
    }

    // Administration

    function pause() external virtual onlyOwner whenRunning {
        _paused = true;
        emit Paused(msg.sender);
    }

    function unpause() external onlyOwner {
        if (!_paused) revert IsNotPaused();
        _paused = false;
        emit Unpaused(msg.sender);
    }

    function setArbiter(address arbiter_) external onlyOwner {
        if (arbiter_ == address(0)) revert ZeroAddress();
        emit ArbiterChanged(_arbiter, arbiter_);
        _arbiter = arbiter_;
    }

    function transferOwnership(address owner_) external onlyOwner {
        if (owner_ == address(0)) revert ZeroAddress();
        emit OwnershipTransferred(_owner, owner_);
        _owner = owner_;
    }

    /// @notice Replace the code behind the proxy, and call the new code at once unless `data` is empty.
    /// @dev Works while paused: mending a paused contract is what it is for.
    function upgradeToAndCall(address implementation, bytes calldata data) external payable virtual onlyOwner {
        if (address(this) == SELF) revert OnlyThroughProxy();
        if (implementation.code.length == 0) revert NotAnImplementation(implementation);
        try Escrow(implementation).proxiableUUID() returns (bytes32 slot) {
            if (slot != IMPLEMENTATION_SLOT) revert NotAnImplementation(implementation);
        } catch {
            revert NotAnImplementation(implementation);
        }
        assembly ("memory-safe") {
            sstore(IMPLEMENTATION_SLOT, implementation)
        }
        emit Upgraded(implementation);
        if (data.length == 0) return;
        (bool ok, bytes memory answer) = implementation.delegatecall(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(answer, 32), mload(answer))
            }
        }
    }

    // Views

    function proxiableUUID() external pure returns (bytes32) {
        return IMPLEMENTATION_SLOT;
    }

    function version() external pure virtual returns (string memory) {
        return "1.0.0";
    }

    function paused() external view returns (bool) {
        return _paused;
    }

    function owner() external view returns (address) {
        return _owner;
    }

    function arbiter() external view returns (address) {
        return _arbiter;
    }

    function deposit(bytes32 orderId)
        external
        view
        returns (address buyer, address seller, uint256 amount, State state)
    {
        Deposit storage found = _deposits[orderId];
        return (found.buyer, found.seller, found.amount, found.state);
    }

    /// @notice How many deposits are open.
    function openCount() external view returns (uint256) {
        return _openCount;
    }

    /// @notice The sum of all open deposits, in wei: what the contract's balance must be.
    function openTotal() external view virtual returns (uint256) {
        return _openTotal;
    }
}
