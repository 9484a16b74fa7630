Feature: Performance Diagnostics
  A load test is worth something if it fails when the system has become slower, and only then. So a healthy system keeps every
  threshold here, and each regression that somebody could release breaks one.

  Background:
    Given the system is in its steady state

  @no-fault:a_healthy_system_is_measured @needs:ab @recovers-by:api_performance_test
  Scenario: A healthy system keeps every threshold, and the runbook's own tests say so
    When the responder takes the steps "API performance test", "Database performance test" of "Performance Diagnostics"
    And the load "browse-and-buy" is run
    Then the load "browse-and-buy" keeps its thresholds
    And the step "API performance test" succeeds
    And the step "API performance test" says "Complete requests:      100"
    And the step "Database performance test" succeeds

  @recovers-by:database_performance_test
  Scenario: A slow way to the database breaks the 95th percentile, and is slower than the baseline by more than noise
    Given the load "spike" has been run as its baseline
    When the link "api-database" gains 150 ms of latency with 20 ms of jitter
    And the link "db.metaaggregator.com:5432" gains 150 ms of latency with 20 ms of jitter
    And the responder takes the steps "Database performance test" of "Performance Diagnostics"
    And the load "spike" is run
    Then the load "spike" fails its threshold "p95"
    And the load "spike" is slower than its baseline
    And the step "Database performance test" notices the fault

  @recovers-by:database_performance_test
  Scenario: A missing index breaks the 95th percentile, and the database's test names the statement
    When the index "price_ticks_token_at" is dropped
    And the responder takes the steps "Database performance test" of "Performance Diagnostics"
    And the load "browse" is run
    Then the load "browse" fails its threshold "p95"
    And the step "Database performance test" notices the fault
    And the step "Database performance test" says "SLOW  the list of orders"

  @no-recovering-step:the_load_test_finds_what_no_command_of_the_runbook_looks_for
  Scenario: A smaller pool does no harm until there is more to do, and then breaks the 95th percentile
    When the link "api-database" gains 35 ms of latency with 0 ms of jitter
    And the load "spike" is run
    Then the load "spike" keeps its thresholds
    When a release of "orders-api" with DATABASE_POOL=1 goes live
    And the load "spike" is run
    Then the load "spike" fails its threshold "p95"

  @needs:ab @recovers-by:api_performance_test
  Scenario: ab counts an error page as a success, and our edition does not
    When a release of "orders-api" that answers 500 goes live
    And the responder takes the steps "API performance test" of "Performance Diagnostics"
    Then the step "API performance test" notices the fault
    And the step "API performance test" says "Failed requests:        0"
    And the step "API performance test" says "Non-2xx responses:      100"

  @no-fault:a_healthy_system_is_measured @no-recovering-step:no_command_of_the_runbook_makes_load_by_several_processes
  Scenario: Locust's own workers share a load that grows in steps, and every request counts once
    When the load "growing" is run by 2 workers
    Then the load "growing" keeps its thresholds
