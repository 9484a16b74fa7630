Feature: Monitoring Commands
  Whoever runs them wants to know one thing: is all well? Each must end with 0 when what it covers is, end otherwise when it is
  not, and show which part is broken.

  Background:
    Given the system is in its steady state

  @no-fault:a_healthy_system_must_not_be_called_ill
  @recovers-by:database_status
  Scenario: All is well under traffic, and every command says so
    Given traffic is flowing
    When the responder follows "Monitoring Commands"
    Then the step "Health checks" succeeds
    And the step "Check contract status" succeeds
    And the step "Check contract status" says "network: up, chain 1"
    And the step "Check contract status" says "escrow: up"
    And the step "Database status" succeeds
    And the step "Database status" says "locks: up, nobody waits"

  @recovers-by:<found_by>
  Scenario Outline: <broken>, and the commands say so
    When <fault>
    And the responder follows "Monitoring Commands"
    Then the step "Health checks" <health>
    And the step "Check contract status" <contract>
    And the step "Database status" <database>
    And the step "<found_by>" says "<words>"

    Examples:
      | broken                           | fault                                                         | health            | contract          | database          | found_by              | words                             |
      | A site that cannot reach the API | the link "frontend-api" is cut                                | notices the fault | succeeds          | succeeds          | Health checks         | "api":"down"                      |
      | An API that hangs                | every process of "orders-api" is frozen                       | notices the fault | succeeds          | succeeds          | Health checks         | timed out after                   |
      | An outside API that fails        | the outside API "zeroex" answers 500                          | notices the fault | succeeds          | succeeds          | Health checks         | "down":["zeroex"]                 |
      | A paused contract                | the escrow is paused                                          | succeeds          | notices the fault | succeeds          | Check contract status | escrow: DOWN: paused              |
      | A node that nobody can reach     | the link "rpc.metaaggregator.com:8545" is cut                 | succeeds          | notices the fault | succeeds          | Check contract status | network: DOWN: no answer          |
      | A table that is gone             | the table "trades" is dropped                                 | succeeds          | succeeds          | notices the fault | Database status       | tables: DOWN: trades is missing   |
      | Orders that are gone             | the rows of "orders" where "id between 10 and 19" are deleted | succeeds          | succeeds          | notices the fault | Database status       | rows: DOWN: 10 orders are lost    |
      | A table that is locked           | the table "orders" is locked                                  | notices the fault | succeeds          | notices the fault | Database status       | orders is locked by a transaction |
