Feature: Smart contract gas usage analysis
  What each function of the escrow costs, in gas, against the bounds in contracts/gas_bounds.json.

  Background:
    Given the system is in its steady state
    And traffic is flowing

  @no-fault:a_release_within_its_bounds @recovers-by:smart_contract_gas_usage_analysis
  Scenario: The escrow's functions cost no more than their bounds
    When the responder takes the step "Smart contract gas usage analysis" of "Performance Diagnostics"
    Then the step "Smart contract gas usage analysis" succeeds
    And the step "Smart contract gas usage analysis" says "depositFor:"
    And the step "Smart contract gas usage analysis" says "refund:"

  @recovers-by:smart_contract_gas_usage_analysis
  Scenario: A release whose deposits cost more than their bound is found
    When the release "EscrowCostly" of the escrow goes live
    And the responder takes the step "Smart contract gas usage analysis" of "Performance Diagnostics"
    Then the step "Smart contract gas usage analysis" notices the fault
    And the step "Smart contract gas usage analysis" says "BEYOND ITS BOUND: depositFor"
