Feature: Daily Maintenance
  What fails without an alarm is found on the day that it does, and is named: an old backup, a part that is down, a package with a
  hole in it.

  Background:
    Given the system is in its steady state
    And the nightly backup has been taken
    And the project's dependencies are installed
    And traffic is flowing

  @no-fault:a_healthy_day @recovers-by:update_monitoring_dashboard
  Scenario: A healthy system passes its daily maintenance
    When the responder follows "Daily Maintenance"
    Then the step "Check system health" succeeds
    And the step "Update monitoring dashboard" succeeds
    And Prometheus can read the metrics
    And the metrics say that "database" is up
    And the step "Check for security alerts" says "found 0 vulnerabilities"

  @recovers-by:check_system_health
  Scenario: A nightly backup that has not run for three days is noticed
    When the newest backup is 3 days old
    And the responder takes the step "Check system health" of "Daily Maintenance"
    Then the step "Check system health" notices the fault
    And the step "Check system health" says "NOT well: backup"

  @recovers-by:update_monitoring_dashboard
  Scenario: What is down is down on the dashboard
    When the link "api.coingecko.com:443" is cut
    And the responder takes the steps "Check system health", "Update monitoring dashboard" of "Daily Maintenance"
    Then the step "Check system health" fails
    And the step "Check system health" says "API -> coingecko"
    And the metrics say that "coingecko" is down
    And the metrics say that "database" is up

  @recovers-by:check_for_security_alerts
  Scenario: A vulnerable dependency is found
    When an advisory of severity "moderate" is published against "axios" <1.8.2
    And the responder takes the step "Check for security alerts" of "Daily Maintenance"
    Then the step "Check for security alerts" notices the fault
    And the step "Check for security alerts" says "axios"
    And the step "Check for security alerts" says "1 moderate severity vulnerability"
