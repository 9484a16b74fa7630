Feature: Weekly Maintenance
  The database gives back what it no longer needs while customers keep placing orders; updates and figures are told by what was
  really asked, and silence is no good news.

  Background:
    Given the system is in its steady state
    And the project's dependencies are installed
    And traffic is flowing

  @recovers-by:database_optimization
  Scenario: Dead rows and bloat go, and no customer waits for it
    Given the probes "table-sizes" are watched too
    When 8000 deleted rows bloat the table "orders"
    And "express" 4.22.0 is released
    And the responder follows "Weekly Maintenance"
    Then service is restored within 60 seconds
    And the step "Database optimization" succeeds
    And the step "Database optimization" says "orders: written anew"
    And no order waited longer than 2 seconds while "Database optimization" ran
    And the step "Check dependency updates" says "4.22.0"
    And the step "Performance analysis" succeeds
    And the performance report has a plot of every day with orders

  @recovers-by:database_optimization
  Scenario: A table that a report is reading is left alone, and customers do not queue behind it
    When a report keeps reading the table "orders"
    And 8000 deleted rows bloat the table "orders"
    And the responder takes the step "Database optimization" of "Weekly Maintenance"
    Then the step "Database optimization" notices the fault
    And the step "Database optimization" says "long-report"
    And no order waited longer than 2 seconds while "Database optimization" ran

  @recovers-by:check_dependency_updates
  Scenario: A registry that is down is not taken for good news
    When the outside API "npm-registry" answers 503
    And the responder takes the step "Check dependency updates" of "Weekly Maintenance"
    Then the step "Check dependency updates" notices the fault
    And the step "Check dependency updates" says "E503"

  @recovers-by:performance_analysis
  Scenario: A week in which the order list became slow is told as such
    When the link "api.metaaggregator.com:443" gains 350 ms of latency with 0 ms of jitter
    And the responder takes the step "Performance analysis" of "Weekly Maintenance"
    Then the step "Performance analysis" notices the fault
    And the step "Performance analysis" says "p95 of the order list is"
    And the performance report has a plot of every day with orders
