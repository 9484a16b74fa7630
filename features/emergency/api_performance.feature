Feature: 3. API Performance Issues
  The runbook promises no time here, so each scenario names its own. What counts is measured by Locust: the 95th percentile of all
  requests that customers made, before the remedy and after it.

  Background:
    Given the system is in its steady state
    And traffic is flowing

  @recovers-by:if_the_api_is_slow_under_load
  Scenario: A slow link to the database starves the pool in a rush, and more processes end it
    Given the load "rush-hour" goes on
    When the link "api-database" gains 60 ms of latency with 0 ms of jitter
    And the responder follows "API Performance Issues"
    Then service is restored within 3 minutes
    And the step "Check API metrics" says "API: SLOW"
    And the step "Check database performance" succeeds
    And the decision "If an index is missing" is no
    And the decision "If the API is slow under load" is yes
    And p95 of the load "rush-hour" falls below 1000 ms with the step "scale it"
    And the step "Monitor improvement" says "the API is fast again"
    And the decision "If the rush is over" is no

  @recovers-by:if_an_index_is_missing
  Scenario: A dropped index makes a query slow, more processes do not help, and creating it again does
    When the index "price_ticks_token_at" is dropped
    And "orders-api" is scaled to 5 processes
    And the load "browse" is run
    Then the load "browse" fails its threshold "p95"
    When the responder takes the steps "Check API metrics", "Check database performance", "If an index is missing", "If the API is slow under load" of "API Performance Issues"
    Then the step "Check database performance" notices the fault
    And the step "Check database performance" says "index price_ticks_token_at is missing"
    And the step "Check database performance" says "the list of orders"
    And the decision "If an index is missing" is yes
    And the decision "If the API is slow under load" is no
    When the load "browse" is run
    Then the load "browse" keeps its thresholds

  @recovers-by:check_api_metrics
  Scenario: 0x answers late, its circuit opens, and customers do not wait for it
    Given the probes "quote" are watched too
    When the outside API "zeroex" takes 2500 ms to answer
    And the load "quotes" is run
    And the responder takes the steps "Check API metrics", "Check database performance", "If the API is slow under load" of "API Performance Issues"
    And the outside API "zeroex" recovers
    Then service is restored within 2 minutes
    And the load "quotes" keeps its thresholds
    And the step "Check API metrics" says "orders_api_circuit_open{name="0x"} 1"
    And the decision "If the API is slow under load" is no
    And every order that was placed meanwhile was taken

  @no-fault:a_rush_that_is_over_breaks_nothing @recovers-by:if_the_rush_is_over
  Scenario: After a rush the API is scaled down again, and no request is lost by it
    Given "orders-api" has been scaled to 5 processes
    And the load "rush-hour" goes on
    When the responder takes the steps "Check API metrics", "If the rush is over" of "API Performance Issues"
    Then the decision "If the rush is over" is yes
    And the step "If the rush is over" succeeds
    And "orders-api" has 2 processes
    And the load "rush-hour" keeps its thresholds

  @recovers-by:if_the_api_is_slow_under_load
  Scenario: A cluster without room for more processes leaves them pending, and says so
    Given the load "rush-hour" goes on
    When the cluster has room for 3 processes only
    And the link "api-database" gains 60 ms of latency with 0 ms of jitter
    And the responder takes the steps "Check API metrics", "If the API is slow under load", "Monitor improvement" of "API Performance Issues"
    Then the decision "If the API is slow under load" is yes
    And the step "If the API is slow under load" fails
    And the step "If the API is slow under load" says "Pending"
    And the step "If the API is slow under load" says "Too many pods"
    And "orders-api" has 2 processes
    And the step "Monitor improvement" fails
    And the step "Monitor improvement" says "the API is NOT faster"
    And the load "rush-hour" fails its threshold "p95"
