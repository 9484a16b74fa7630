Feature: System Health Diagnostics
  Four diagnostics, and one part of the system broken at a time. Each must end with 0 when all that it covers is well, end
  otherwise when it is not, name the broken part, and not cry over what is none of its business.

  Background:
    Given the system is in its steady state

  @no-fault:a_healthy_system_must_not_be_called_ill
  @recovers-by:check_all_core_services
  Scenario: All is well, and every diagnostic says so
    When the responder follows "System Health Diagnostics"
    Then the step "Check all core services" succeeds
    And the step "Check all core services" says "escrow: up"
    And the step "Check external dependencies" succeeds
    And the step "Check external dependencies" says "CoinGecko: up"
    And the step "Check database connectivity" succeeds
    And the step "Check database connectivity" says "tables: up"
    And the step "Check smart contract interactions" succeeds
    And the step "Check smart contract interactions" says "deposit: up, would be taken"

  @recovers-by:<found_by>
  Scenario Outline: <broken> is found, and named
    When <fault>
    And the responder follows "System Health Diagnostics"
    Then the step "Check all core services" <core>
    And the step "Check external dependencies" <outside>
    And the step "Check database connectivity" <database>
    And the step "Check smart contract interactions" <contract>
    And the step "<found_by>" says "<words>"

    Examples: A core service
      | broken                           | fault                                                                | core              | outside           | database          | contract          | found_by                          | words                                 |
      | The frontend, killed             | every process of "frontend" is killed                                | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | frontend: DOWN                        |
      | The API, whose release exits     | a release of "orders-api" that exits goes live                       | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | API: DOWN                             |
      | PostgreSQL, killed               | every process of "postgres" is killed                                | notices the fault | succeeds          | notices the fault | succeeds          | Check database connectivity       | database: DOWN                        |
      | The database, full of sessions   | the database's connections are exhausted                             | notices the fault | succeeds          | notices the fault | succeeds          | Check database connectivity       | too many connections for role         |
      | The chain, frozen                | every process of "chain" is frozen                                   | notices the fault | succeeds          | succeeds          | notices the fault | Check smart contract interactions | chain: DOWN: no answer within         |

    Examples: A way between two
      | broken                           | fault                                                                | core              | outside           | database          | contract          | found_by                          | words                                 |
      | A narrow way to the site         | the link "metaaggregator.com:443" is limited to 1 KB/s               | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | frontend: DOWN: no answer within      |
      | The way from the site to the API | the link "frontend-api" is cut                                       | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | does not get through to the API       |
      | A slow way to the database       | the link "api-database" gains 900 ms of latency with 50 ms of jitter | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | it misses database                    |
      | A way to the chain that is reset | the link "api-chain" resets its connections                          | notices the fault | succeeds          | succeeds          | succeeds          | Check all core services           | it misses chain                       |
      | A silent way to the database     | the link "db.metaaggregator.com:5432" swallows everything            | notices the fault | succeeds          | notices the fault | succeeds          | Check database connectivity       | database: DOWN: no answer within      |

    Examples: An outside API
      | broken                           | fault                                                                | core              | outside           | database          | contract          | found_by                          | words                                 |
      | 0x, which answers rubbish        | the outside API "zeroex" answers garbage                             | succeeds          | notices the fault | succeeds          | succeeds          | Check external dependencies       | 0x: DOWN: HTTP 200, but the body      |
      | CoinGecko, which hangs           | the outside API "coingecko" hangs                                    | succeeds          | notices the fault | succeeds          | succeeds          | Check external dependencies       | CoinGecko: DOWN: no answer within     |
      | CoinGecko, which limits our rate | the outside API "coingecko" answers 429                              | succeeds          | succeeds          | succeeds          | succeeds          | Check external dependencies       | CoinGecko: up, but it limits our rate |
