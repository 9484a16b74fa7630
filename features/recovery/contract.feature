Feature: Contract Recovery
  A broken contract is replaced behind its address where that can be done, and beside it where it cannot: nobody loses a wei.

  Background:
    Given the system is in its steady state
    And the probes "funds, escrow-served" are watched too
    And traffic is flowing

  @recovers-by:if_the_contract_is_upgradeable
  Scenario: A broken release is replaced behind its address, and every deposit is kept
    When the release "EscrowMute" of the escrow goes live
    And the responder follows "Contract Recovery"
    Then service is restored within the target
    And the step "Check contract status" fails
    And the decision "If the contract is upgradeable" is yes
    And the decision "If the contract is not upgradeable" is no
    And the step "If the contract is upgradeable" says "storage layout: Escrow has every variable where the escrow keeps it"
    And the escrow holds every seeded deposit, and runs

  @recovers-by:if_the_contract_is_upgradeable
  Scenario: A release whose storage does not fit is refused before anything is sent
    Given the developers hand over "drills/EscrowShifted" as the next release
    When the release "EscrowMute" of the escrow goes live
    And the responder takes the steps "checkEscrowStatus", "checkUpgradeable", "upgradeContract" of "Contract Recovery"
    And the developers hand over "Escrow" as the next release
    And the responder takes the steps "checkEscrowStatus", "checkUpgradeable", "upgradeContract" of "Contract Recovery"
    Then service is restored within the target
    And the step "If the contract is upgradeable" says "NOT UPGRADED: release drills/EscrowShifted does not fit the escrow's storage"
    And the step "If the contract is upgradeable" says "_openTotal is kept in slot 3"
    And the escrow holds every seeded deposit, and runs

  @recovers-by:if_the_contract_is_not_upgradeable
  Scenario: A contract that cannot be upgraded is wound down, and the frontend serves its successor
    When the release "EscrowSealed" of the escrow goes live
    And the responder follows "Contract Recovery"
    Then the probe "escrow-served" is restored within the target
    And the step "Check whether the contract can be upgraded" says "this release cannot be upgraded"
    And the decision "If the contract is upgradeable" is no
    And every buyer has the deposit back
    And the frontend serves a new escrow that works
    And the old address refuses deposits

  @recovers-by:if_the_frontend_serves_a_wrong_address
  Scenario: A wrong contract address is noticed and corrected
    When the services are given a wrong contract address
    And the responder follows "Contract Recovery"
    Then service is restored within the target
    And the step "Check which contract the frontend serves" says "there is no contract at"
    And the decision "If the contract is upgradeable" is no
    And the decision "If the contract is not upgradeable" is no
    And the decision "If the frontend serves a wrong address" is yes
    And the escrow holds every seeded deposit, and runs
