Feature: Monthly Maintenance
  A backup is one when it has been restored into an empty environment and compared; what was true of it last month is looked at
  again. What runs out next is known before it does.

  Background:
    Given the system is in its steady state
    And the project's dependencies are installed
    And traffic is flowing

  @no-fault:a_healthy_month @recovers-by:full_system_backup
  Scenario: A full backup comes back identical in an empty environment
    Given the load test "browse" has been run
    When the responder follows "Monthly Maintenance"
    Then the step "Full system backup" succeeds
    And the step "Full system backup" says "restored into an empty database and onto an empty chain, and identical"
    And the full backup is whole, and nothing is left of its proof
    And the step "Security audit" succeeds
    And the step "Capacity planning review" says "load test:"
    And the step "Capacity planning review" says "first: the"
    And the step "Capacity planning review" succeeds

  @recovers-by:full_system_backup
  Scenario: Last month's backup has rotted, and is replaced by one that is whole
    Given a full backup was made last month
    When a byte of "database.dump" in the full backup rots
    And the responder takes the step "Full system backup" of "Monthly Maintenance"
    Then the step "Full system backup" notices the fault
    And the step "Full system backup" says "database.dump is not what was written"
    And there are 2 full backups
    And the full backup is whole, and nothing is left of its proof

  @recovers-by:full_system_backup
  Scenario: A backup that cannot be completed is no backup
    When the table "trades" is locked
    And the responder takes the step "Full system backup" of "Monthly Maintenance"
    And the lock on "trades" is released
    Then the step "Full system backup" notices the fault
    And the step "Full system backup" says "no full backup was made"
    And there are 0 full backups

  @recovers-by:security_audit
  Scenario: The monthly audit stops at what is severe
    When an advisory of severity "high" is published against "ws" >=8.0.0 <8.18.1
    And the responder takes the step "Security audit" of "Monthly Maintenance"
    Then the step "Security audit" notices the fault
    And the step "Security audit" says "ws"
    And the step "Security audit" says "1 high severity vulnerability"

  @recovers-by:capacity_planning_review
  Scenario: A slower database lets the pool run out first, and soon
    When the link "api-database" gains 50 ms of latency with 0 ms of jitter
    And the responder takes the step "Capacity planning review" of "Monthly Maintenance"
    Then the step "Capacity planning review" notices the fault
    And the step "Capacity planning review" says "first: the pool"
    And the step "Capacity planning review" says "WITHIN the 6 months"
