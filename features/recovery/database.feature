Feature: Database Recovery
  What was backed up comes back, what was not is counted, and whatever goes wrong on the way costs nothing that was still there.

  Background:
    Given the system is in its steady state
    And the nightly backup has been taken
    And traffic is flowing

  @smoke @recovers-by:swap_the_restored_database_in
  Scenario: A dropped table is restored from the newest backup
    When the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And every order is there again
    And the step "Verify production again" succeeds

  @smoke @recovers-by:restore_from_backup
  Scenario: Deleted rows are restored
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And every order is there again

  @smoke @recovers-by:restore_from_backup
  Scenario: A backup that is cut off is refused, and what is left stays
    Given the archive is cut off in the middle
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then the target is missed
    And the step "Restore from backup" fails
    And the step "Restore from backup" says "production_db is untouched"
    And the step "Swap the restored database in" says "not swapped"
    And the seeded orders other than 50 to 149 are still there

  @smoke @recovers-by:create_backup
  Scenario: A restore that meets a lock stops at its deadline and loses nothing
    When the table "orders" is locked
    And the responder follows "Database Recovery"
    And the lock on "orders" is released
    Then service is restored within the target
    And the step "Create backup before any recovery" says "no backup was made"
    And the step "Swap the restored database in" says "not swapped"
    And every order is there again

  @smoke @recovers-by:verify_data_integrity
  Scenario: A wrong backup is caught before it reaches production
    Given the archive holds altered orders
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then the target is missed
    And the step "Verify data integrity" fails
    And the step "Swap the restored database in" says "not swapped"
    And the seeded orders other than 50 to 149 are still there

  @smoke @recovers-by:swap_the_restored_database_in
  Scenario: Orders acknowledged after the backup are counted and judged
    When the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And at least 1 acknowledged orders are lost, by number and by seconds
    And the loss of acknowledged requests is within the RPO

  @recovers-by:create_backup
  Scenario: A backup that finds the disk full stops the procedure, and one that finds room again goes through
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the disk of the "workspace" is full
    And the responder follows "Database Recovery"
    And the disk of the "workspace" has room again
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And the step "Create backup before any recovery" says "No space left on device"
    And the step "Create backup before any recovery" says "no backup was made: stop here"
    And the step "Swap the restored database in" says "not swapped: production_db is as it was"
    And every order is there again

  @recovers-by:if_the_wal_archive_is_there
  Scenario: With a WAL archive, nothing that was acknowledged is lost
    Given WAL is archived, beside a base backup
    When 3 orders have been acknowledged since
    And the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And the decision "If the WAL archive is there" is yes
    And the decision "If there is no WAL archive" is no
    And every order is there again
    And no acknowledged order is lost, where the nightly archive would have lost at least 3

  @recovers-by:restore_from_backup
  Scenario: A WAL archive with a gap is refused, and the nightly archive restores instead
    Given WAL is archived, beside a base backup
    And a segment of the WAL archive is missing
    When the table "orders" is dropped
    And the responder follows "Database Recovery"
    Then service is restored within the target
    And the step "If the WAL archive is there" says "the WAL archive cannot be used: production_db is untouched"
    And the decision "If there is no WAL archive, or it cannot be used" is yes
    And every order is there again

  @recovers-by:look_at_what_there_is
  Scenario: An archive of a newer PostgreSQL is refused before anything depends on it
    Given the archive was made by a newer PostgreSQL
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    Then the target is missed
    And the step "Look at what there is to restore from" fails
    And the step "Look at what there is to restore from" says "unsupported version (1.16) in file header"
    And the step "Restore from backup" says "production_db is untouched"
    And the step "Swap the restored database in" says "not swapped"
    And the seeded orders other than 50 to 149 are still there

  @recovers-by:swap_the_restored_database_in
  Scenario: The application runs on while its database is restored under it
    Given the application's processes are noted
    When the rows of "orders" where "id between 50 and 149" are deleted
    And the responder follows "Database Recovery"
    And 3 orders have been acknowledged since
    Then service is restored within the target
    And every order is there again
    And customers are held up for 5 seconds at most, and the application is not restarted
