Feature: Testing Commands
  Each command runs real tests of the checkout's own code, and a checkout that is broken makes it fail.

  Background:
    Given the system is in its steady state
    And a fresh checkout of the project is in the workspace
    And its dependencies are installed

  @recovers-by:sign_and_send @no-fault:tests_of_a_sound_checkout_pass
  Scenario: Every suite passes on a sound checkout
    When the responder follows "Testing Commands"
    Then the step "Unit tests" succeeds
    And the step "Smart contract tests" succeeds
    And the step "End-to-end tests" succeeds
    And the step "The escrow's own suite" succeeds
    And the step "The escrow's integration suite" succeeds
    And the step "Sign and send a transaction" succeeds
    And nothing that the responder started is still running

  @recovers-by:unit_tests
  Scenario: A fee that is ten times too high fails the unit tests
    When in the workspace file "services/orders_api/orders.py" the text "FEE_BPS = 15" becomes "FEE_BPS = 150"
    And the responder takes the step "Unit tests" of "Testing Commands"
    Then the step "Unit tests" notices the fault
    And the step "Unit tests" says "FAIL: test_the_fee_is_fifteen_basis_points_rounded_down"

  @recovers-by:smart_contract_tests
  Scenario: The next release's build in this one's place fails the contract's tests
    When the workspace file "contracts/artifacts/Escrow.json" holds what "contracts/artifacts/testing/EscrowNext.json" holds
    And the responder takes the steps "Smart contract tests", "The escrow's own suite" of "Testing Commands"
    Then the step "Smart contract tests" notices the fault
    And the step "The escrow's own suite" fails
    And the step "The escrow's own suite" says "test_it_is_the_release_that_this_checkout_is_for"

  @recovers-by:end-to-end
  Scenario: A frontend that asks the API at a wrong path fails the end-to-end tests
    When in the workspace file "services/frontend/site.py" the text "("/api/orders", request.url.query" becomes "("/orders", request.url.query"
    And the responder takes the steps "Unit tests", "End-to-end tests" of "Testing Commands"
    Then the step "Unit tests" succeeds
    And the step "End-to-end tests" notices the fault
    And the step "End-to-end tests" says "FAIL: test_an_order_that_is_placed_is_shown_on_the_site"

  @recovers-by:integration_suite
  Scenario: An API that reads the contract by a wrong selector fails the integration and the sign-and-send tests
    When in the workspace file "services/escrow.py" the text "0x4a080bc8" becomes "0x4a080bc9"
    And the responder takes the steps "The escrow's integration suite", "Sign and send" of "Testing Commands"
    Then the step "The escrow's integration suite" notices the fault
    And the step "Sign and send a transaction" fails
