Feature: 2. Smart Contract Issue
  A thief takes money out of the escrow, transaction by transaction, while the responder works. The runbook promises two minutes
  until nothing leaves any more; what came before is counted to the wei. Opening the contract again may take longer.

  Background:
    Given the system is in its steady state
    And the probes "funds" are watched too
    And traffic is flowing

  @recovers-by:if_exploit_suspected
  Scenario: A reentrancy exploit is stopped by the pause, and the approved fix opens the contract again
    Given the escrow runs the release "EscrowUnguarded"
    When an attacker drains the escrow by reentrancy
    And the responder follows "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And "+1-555-0911" is reached by "phone"
    And "slack" is told before any command runs
    And the step "Check contract status" says "EXPLOIT SUSPECTED"
    And the decision "If exploit suspected" is yes
    And the decision "If the contract cannot be paused" is no
    And not one wei leaves the escrow after the pause
    And the risk assessment's figures are the chain's own
    And the Security Team was asked by phone
    And the decision "If the Security Team approved it" is yes
    And the decision "If the contract is safe again" is yes
    And the escrow holds every seeded deposit, and runs
    And "auditors@chainreview.example" is reached by "smtp"
    And the disclosure timeline tells the pause's block and what was lost
    And the incident's action log names every command of the response

  @recovers-by:if_exploit_suspected
  Scenario: A fix that nobody has audited is refused, and the contract stays paused
    Given the escrow runs the release "EscrowUnguarded"
    And the developers hand over "drills/EscrowUnguarded" as the emergency fix
    When an attacker drains the escrow by reentrancy
    And the responder follows "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And the step "Ask the Security Team to approve" fails
    And the decision "If the Security Team approved it" is no
    And the decision "If the contract is safe again" is no
    And the escrow is still paused
    And not one wei leaves the escrow after the pause
    And running "deployEmergencyFix" of the escrow as the owner fails with "the Security Team has not approved it"
    And running "unpauseContract" of the escrow as the owner fails with "more than it holds"
    And running "pauseContract" of the escrow as the owner fails with "it is paused already"
    And running "unpauseContract" of the escrow as a stranger fails with "NOT UNPAUSED"

  @recovers-by:if_the_contract_cannot_be_paused
  Scenario: A contract that cannot be paused is emptied by the arbiter and replaced
    Given the probes "escrow-served" are watched too
    And the escrow runs the release "EscrowUnpausable"
    When an attacker drains the escrow by reentrancy
    And the responder follows "Smart Contract Issue"
    Then the probe "escrow-served" is restored within the target
    And the step "If exploit suspected" says "this release cannot be paused"
    And the decision "If the contract cannot be paused" is yes
    And every buyer has the deposit back
    And the frontend serves a new escrow that works

  @recovers-by:if_exploit_suspected
  Scenario: The RPC endpoint is down, so the contract is paused over the fallback
    Given the escrow runs the release "EscrowUnguarded"
    When an attacker drains the escrow by reentrancy
    And the link "rpc.metaaggregator.com:8545" is cut
    And the responder takes the steps "Check contract status", "If exploit suspected", "Assess impact" of "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And the step "If exploit suspected" says "does not answer: http://rpc-fallback.metaaggregator.com:8545 is asked instead"
    And not one wei leaves the escrow after the pause

  @recovers-by:if_exploit_suspected
  Scenario: The RPC endpoint is behind and shows a healthy contract, so the fallback is asked
    Given the escrow runs the release "EscrowUnguarded"
    When the RPC endpoint behind "rpc.metaaggregator.com:8545" falls behind the chain
    And an attacker drains the escrow by reentrancy
    And the responder takes the steps "Check contract status", "If exploit suspected", "Assess impact" of "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And the step "Check contract status" says "blocks behind: http://rpc-fallback.metaaggregator.com:8545 is asked instead"
    And the step "Check contract status" says "EXPLOIT SUSPECTED"
    And not one wei leaves the escrow after the pause

  @recovers-by:if_exploit_suspected
  Scenario: Gas is dear and the pause is stuck, so it is replaced at a higher price
    Given the escrow runs the release "EscrowUnguarded"
    When an attacker drains the escrow by reentrancy
    And the price of gas rises to a tip of 3 gwei
    And the responder takes the steps "Check contract status", "If exploit suspected", "Assess impact" of "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And the step "If exploit suspected" says "waits with a tip of 1000000000 wei: replaced under the same nonce"
    And not one wei leaves the escrow after the pause

  @recovers-by:if_exploit_suspected
  Scenario: An older transaction of the owner is stuck, so the pause takes its place
    Given the escrow runs the release "EscrowUnguarded"
    When an attacker drains the escrow by reentrancy
    And a transaction of account 0 is stuck below a tip of 3 gwei
    And the responder takes the steps "Check contract status", "If exploit suspected", "Assess impact" of "Smart Contract Issue"
    Then the probe "funds" is restored within the target
    And the step "If exploit suspected" says "another transaction of the account waits"
    And not one wei leaves the escrow after the pause
