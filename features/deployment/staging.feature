Feature: Deployment Commands, staging
  Staging has a database, a chain and apps of its own. Nothing that is done there reaches production.

  Background:
    Given the system is in its steady state
    And "staging-frontend" has been started
    And the project is checked out, with a new version of every part
    And production's data are noted

  @no-fault:staging_is_deployed_to_every_day @recovers-by:deploy_to_staging
  Scenario: A release at staging leaves production's database and chain alone
    When the responder takes the steps "Build", "Deploy to staging", "Check staging" of "Deployment Commands"
    Then the step "Deploy to staging" succeeds
    And the step "Check staging" succeeds
    And "staging-api" runs the release that was built
    And "staging-frontend" runs the release that was built
    And the escrow on "staging" is the one that was built
    And the escrow on "mainnet" is the one from before
    And "orders-api" still runs the release from before
    And production's data are untouched, and staging has its own

  @recovers-by:deploy_to_staging
  Scenario: Staging's network leads to production's node, and the deployment refuses it
    When staging's network leads to production's node
    And the responder takes the steps "Build", "Deploy to staging" of "Deployment Commands"
    Then the step "Deploy to staging" notices the fault
    And the step "Deploy to staging" says "Error HH101"
    And the step "Deploy to staging" says "NOT deployed: contracts, backend, frontend"
    And the escrow on "mainnet" is the one from before
