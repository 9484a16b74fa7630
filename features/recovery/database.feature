@smoke
Feature: Database Recovery
  What was backed up comes back, what was not is counted, and whatever goes wrong on the way costs nothing that was still there.

  Background:
    Given the system is in its steady state
    And the nightly backup has been taken
    And traffic is flowing

  @recovers-by:swap_the_restored_database_in
  Scenario: A dropped table is restored from the newest backup
    When the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And every order is there again
    And the step "Verify production again" succeeds

  @recovers-by:restore_from_backup
  Scenario: Deleted rows are restored
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And every order is there again

  @recovers-by:restore_from_backup
  Scenario: A backup that is cut off is refused, and what is left stays
    Given the archive is cut off in the middle
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then the target is missed
    And the step "Restore from backup" fails
    And the step "Restore from backup" says "production_db is untouched"
    And the step "Swap the restored database in" says "not swapped"
    And the seeded orders other than 50 to 149 are still there

  @recovers-by:create_backup
  Scenario: A restore that meets a lock stops at its deadline and loses nothing
    When the table "orders" is locked
    And the responder follows "Database Recovery"
    And the lock on "orders" is released
    Then service is restored within the target
    And the step "Create backup before any recovery" says "no backup was made"
    And the step "Swap the restored database in" says "not swapped"
    And every order is there again

  @recovers-by:verify_data_integrity
  Scenario: A wrong backup is caught before it reaches production
    Given the archive holds altered orders
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then the target is missed
    And the step "Verify data integrity" fails
    And the step "Swap the restored database in" says "not swapped"
    And the seeded orders other than 50 to 149 are still there

  @recovers-by:swap_the_restored_database_in
  Scenario: Orders acknowledged after the backup are counted and judged
    When the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And at least 1 acknowledged orders are lost, by number and by seconds
    And the loss of acknowledged requests is within the RPO
