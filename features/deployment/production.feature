Feature: Deployment Commands
  What was built is deployed, exactly that, and only if somebody approved it. The platform switches to it when it is healthy,
  and customers notice nothing: every order of the traffic is acknowledged in its first attempt.

  Background:
    Given the system is in its steady state
    And "staging-frontend" has been started
    And the project is checked out, with a new version of every part
    And traffic is flowing

  @no-fault:a_deployment_is_no_outage @recovers-by:if_staging_is_healthy
  Scenario: A release goes out part by part, and no request is lost
    Given "primary" approves what they are asked
    When the responder follows "Deployment Commands"
    Then "primary" is asked and approves
    And the decision "If staging is healthy" is yes
    And the decision "If all parts are to be released together" is no
    And the step "If staging is healthy" succeeds
    And "orders-api" runs the release that was built
    And "frontend" runs the release that was built
    And the page that customers get is the one that was built
    And the escrow on "mainnet" is the one that was built
    And the traffic loses no request

  @no-fault:a_deployment_is_no_outage @recovers-by:if_all_parts_are_to_be_released_together
  Scenario: All parts are released together by one command
    Given "primary" approves what they are asked
    And all parts are to be released together
    When the responder follows "Deployment Commands"
    Then the decision "If staging is healthy" is no
    And the step "If all parts are to be released together" succeeds
    And "orders-api" runs the release that was built
    And "frontend" runs the release that was built
    And the escrow on "mainnet" is the one that was built
    And the traffic loses no request

  @no-fault:a_refusal_breaks_nothing @recovers-by:to_approve_the_release
  Scenario: The release is refused, and production keeps what it has
    Given "primary" refuses what they are asked
    When the responder follows "Deployment Commands"
    Then "primary" is asked and refuses
    And the decision "If staging is healthy" is no
    And "staging-api" runs the release that was built
    And "orders-api" still runs the release from before
    And "frontend" still runs the release from before
    And the escrow on "mainnet" is the one from before

  @recovers-by:to_approve_the_release
  Scenario: Nobody answers, and silence is no approval
    When "primary" does not pick up
    And the responder follows "Deployment Commands"
    Then "primary" is asked and does not answer
    And the step "to approve the release" notices the fault
    And the decision "If staging is healthy" is no
    And "orders-api" still runs the release from before
    And the escrow on "mainnet" is the one from before

  @recovers-by:deploy_to_staging
  Scenario Outline: A backend that <how> is not switched to, first of all at staging
    Given "primary" approves what they are asked
    When a commit after which the backend <how> is merged
    And the responder follows "Deployment Commands"
    Then the step "Deploy to staging" notices the fault
    And the step "Deploy to staging" says "is not healthy"
    And the step "Deploy to staging" says "NOT deployed: backend, frontend"
    And "staging-api" still runs the release from before
    And the decision "If staging is healthy" is no
    And "orders-api" still runs the release from before
    And the traffic loses no request

    Examples:
      | how                             |
      | answers 500 to its health check |
      | exits at its start              |

  @recovers-by:build
  Scenario: What does not compile is not deployed
    Given "primary" approves what they are asked
    When a commit after which the backend does not compile is merged
    And the responder follows "Deployment Commands"
    Then the step "Build" notices the fault
    And the step "Build" says "services/orders_api/application.py does not compile"
    And the step "Deploy to staging" says "there is no release to deploy"
    And "orders-api" still runs the release from before

  @recovers-by:deploy_to_staging
  Scenario Outline: A contract deployment that fails stops the rest: <what>
    Given "primary" approves what they are asked
    When the escrow is compiled to <what>
    And the responder follows "Deployment Commands"
    Then the step "Deploy to staging" notices the fault
    And the step "Deploy to staging" says "staging: contracts: FAILED"
    And the step "Deploy to staging" says "NOT deployed: contracts, backend, frontend"
    And "staging-api" still runs the release from before
    And "orders-api" still runs the release from before
    And the escrow on "mainnet" is the one from before

    Examples:
      | what                        |
      | code that cannot be created |
      | code that is no escrow      |

  @recovers-by:if_all_parts_are_to_be_released_together
  Scenario: Mainnet is out of reach, and production gets neither backend nor frontend
    Given "primary" approves what they are asked
    And all parts are to be released together
    When the link "rpc.metaaggregator.com:8545" is cut
    And the link "rpc-fallback.metaaggregator.com:8545" is cut
    And the responder follows "Deployment Commands"
    And the link "rpc-fallback.metaaggregator.com:8545" comes back
    Then the step "If all parts are to be released together" notices the fault
    And the step "If all parts are to be released together" says "production: contracts: FAILED: Error HH108"
    And the step "If all parts are to be released together" says "NOT deployed: contracts, backend, frontend"
    And "staging-api" runs the release that was built
    And "orders-api" still runs the release from before
    And "frontend" still runs the release from before
    And the escrow on "mainnet" is the one from before
    And the traffic loses no request

  @recovers-by:if_staging_is_healthy
  Scenario: Another release's approval does not count
    Given "primary" refuses what they are asked
    When the approval of another release was left in the checkout
    And the responder follows "Deployment Commands"
    Then the step "If staging is healthy" notices the fault
    And the step "If staging is healthy" says "the approval is of another one"
    And "orders-api" still runs the release from before
    And "frontend" still runs the release from before
    And the escrow on "mainnet" is the one from before
