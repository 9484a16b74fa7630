Feature: Development Environment Setup
  From a fresh checkout to a deposit in an escrow of one's own, and nothing left running. The chain and the servers are the
  developer's: none of it is production's.

  Background:
    Given the system is in its steady state
    And a fresh checkout of the project is in the workspace

  @recovers-by:stop_local_development @no-fault:a_set_up_breaks_nothing
  Scenario: From a fresh checkout to a test deposit, and everything is stopped again
    When the responder takes the steps "Start local", "Deploy contracts locally", "Fund arbiter", "Test deposit" of "Development Environment Setup"
    Then the step "Start local development" succeeds
    And the local escrow's arbiter is the declared one, with 10 ETH or more
    And the local escrow holds 1 open deposit
    When the responder takes the step "Stop local development" of "Development Environment Setup"
    Then the step "Deploy contracts locally" says "as declared"
    And the step "Fund arbiter for testing" says "10 ETH now"
    And the step "Stop local development" succeeds
    And nothing that the responder started is still running

  @recovers-by:start_local_development
  Scenario: A lock file that does not fit package.json is refused, and nothing is started
    When in the workspace file "package.json" the text "^2.22.17" becomes "^3.0.0"
    And the responder takes the step "Start local development" of "Development Environment Setup"
    Then the step "Start local development" notices the fault
    And the step "Start local development" says "hardhat@2.22.17 does not satisfy hardhat@^3.0.0"
    And nothing that the responder started is still running

  @recovers-by:deploy_contracts_locally
  Scenario Outline: A wrong arbiter is refused: <what>
    When in the workspace file "arbiters.json" the text "0xBcd4042DE499D14e55001CcbB24a551F3b954096" becomes "<address>"
    And the responder follows "Development Environment Setup"
    Then the step "Deploy contracts locally" notices the fault
    And the step "Deploy contracts locally" says "<words>"
    And nothing was deployed for use on the local chain
    And the step "Test deposit functionality" fails
    And nothing that the responder started is still running

    Examples:
      | what             | address                                    | words                  |
      | the owner itself | 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266 | is the owner itself    |
      | a typing error   | 0xBcd4042DE499D14e55001CcbB24a551F3b954069 | its checksum (EIP-55)  |

  @recovers-by:fund_arbiter
  Scenario: The escrow on the chain has another arbiter than the one declared, and no money is sent to it
    When the responder takes the steps "Start local development", "Deploy contracts locally" of "Development Environment Setup"
    And in the workspace file "arbiters.json" the text "0xBcd4042DE499D14e55001CcbB24a551F3b954096" becomes "0x71bE63f3384f5fb98995898A86B02Fb2426c5788"
    And the responder takes the steps "Fund arbiter", "Test deposit", "Stop local development" of "Development Environment Setup"
    Then the step "Fund arbiter for testing" notices the fault
    And the step "Fund arbiter for testing" says "but arbiters.json declares"
    And the step "Test deposit functionality" fails

  @recovers-by:deploy_contracts_locally
  Scenario: The network's chain id is another, and the deployment does not touch it
    When in the workspace file "hardhat.networks.json" the text "31337" becomes "1337"
    And the responder takes the steps "Start local development", "Deploy contracts locally", "Stop local development" of "Development Environment Setup"
    Then the step "Deploy contracts locally" notices the fault
    And the step "Deploy contracts locally" says "HH101"
    And nothing was deployed for use on the local chain
