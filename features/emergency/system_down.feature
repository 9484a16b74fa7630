Feature: 1. System Down - Complete Outage
  The runbook promises service within five minutes, and the follow-up within thirty. Machines recover in seconds; what people
  are allowed for each of their steps stands in environment.yaml, and the sum is judged.

  Background:
    Given the system is in its steady state
    And traffic is flowing

  @smoke @recovers-by:if_the_frontend_is_down
  Scenario: A frontend release that answers 500 is rolled back
    When a release of "frontend" that answers 500 goes live
    And the responder follows "System Down - Complete Outage"
    Then service is restored within the target
    And "slack" is told before any command runs
    And "+1-555-0123" is reached by "phone"
    And the decision "If the frontend is down" is yes
    And the decision "If the API is down" is no
    And the follow-up is done within 30 minutes
    And "status" receives "Service is restored"
    And "customers@metaaggregator.com" is reached by "smtp"
    And the incident "System down: complete outage" is recorded

  @smoke @recovers-by:if_the_api_is_down
  Scenario: An API release that hangs takes everything down and is rolled back
    When a release of "orders-api" that hangs goes live
    And the responder follows "System Down - Complete Outage"
    Then service is restored within the target
    And the step "Check our services" says "API: DOWN"
    And the decision "If the API is down" is yes
    And the decision "If an API process has died" is no
    And the follow-up is done within 30 minutes

  @smoke @recovers-by:if_an_api_process_has_died
  Scenario: API processes that die are brought back without a rollback
    When every process of "orders-api" is killed
    And the responder follows "System Down - Complete Outage"
    Then service is restored within the target
    And the decision "If the API is down" is no
    And the decision "If an API process has died" is yes
    And the follow-up is done within 30 minutes

  @smoke @recovers-by:check_our_services
  Scenario: The database link is cut, the checks name it, and nothing is rolled back
    When the link "api-database" is cut
    And the responder follows "System Down - Complete Outage"
    And the link "api-database" comes back
    Then service is restored within the target
    And the step "Check our services" says "database"
    And the decision "If the API is down" is no
    And the decision "If the frontend is down" is no
    And "+1-555-0100" is reached by "phone"

  @smoke @recovers-by:check_external_dependencies
  Scenario: 0x is down, the check says so, and nothing is rolled back
    When the outside API "zeroex" answers 503
    And the responder follows "System Down - Complete Outage"
    And the outside API "zeroex" recovers
    Then service is restored within the target
    And the step "Check external dependencies" says "0x: DOWN"
    And the step "Check external dependencies" says "CoinGecko: up"
    And the decision "If the frontend is down" is no
    And the decision "If the API is down" is no

  @smoke @recovers-by:if_service_is_not_restored
  Scenario: The release before is broken too, so the secondary is called
    When two releases of "frontend" in a row that answer 500 go live
    And the responder follows "System Down - Complete Outage"
    Then the target is missed
    And the decision "If the frontend is down" is yes
    And the step "Monitor recovery" fails
    And the decision "If service is not restored" is yes
    And "+1-555-0100" is reached by "phone"

  @recovers-by:if_the_rollback_hangs
  Scenario: The rollback hangs, so the frontend goes back one release further
    When a release of "frontend" that answers 500 goes live after one that never starts
    And the responder follows "System Down - Complete Outage"
    Then service is restored within the target
    And the decision "If the frontend is down" is yes
    And the step "If the frontend is down" fails
    And the step "If the frontend is down" says "The rollback exceeded its deadline"
    And the decision "If the rollback hangs" is yes
    And the step "If the rollback hangs" succeeds
    And the decision "If service is not restored" is no

  @recovers-by:check_our_services
  Scenario: The site's certificate has expired, the check says so, and nothing is rolled back
    When the certificate of "metaaggregator.com" has expired
    And the responder follows "System Down - Complete Outage"
    And the certificate of "metaaggregator.com" is renewed
    Then service is restored within the target
    And the step "Check our services" says "certificate has expired"
    And the decision "If the frontend is down" is no
    And the decision "If the API is down" is no
    And the step "Monitor recovery" fails
    And "+1-555-0100" is reached by "phone"

  @recovers-by:check_our_services
  Scenario: The API's name is gone from the DNS, the check says so, and nothing is rolled back
    When the name "api.metaaggregator.com" no longer resolves
    And the responder follows "System Down - Complete Outage"
    And the name "api.metaaggregator.com" resolves again
    Then service is restored within the target
    And the step "Check our services" says "Could not resolve host: api.metaaggregator.com"
    And the decision "If the API is down" is no
    And the decision "If an API process has died" is no
    And the step "Monitor recovery" fails
    And "+1-555-0100" is reached by "phone"

  @recovers-by:check_external_dependencies
  Scenario: 0x and CoinGecko are down together, both are named, and orders are still taken
    When the outside API "zeroex" answers 503
    And the outside API "coingecko" answers 500
    And the responder follows "System Down - Complete Outage"
    And the outside API "zeroex" recovers
    And the outside API "coingecko" recovers
    Then service is restored within the target
    And the step "Check external dependencies" says "0x: DOWN"
    And the step "Check external dependencies" says "CoinGecko: DOWN"
    And the step "Check our services" says "API: up, without all that it depends on"
    And the decision "If the frontend is down" is no
    And the decision "If the API is down" is no
    And the decision "If service is not restored" is no

  @recovers-by:monitor_recovery
  Scenario: A site that comes and goes has not recovered
    When the link "metaaggregator.com:443" flaps, 800 ms down and 300 ms up, for at most 20 s
    And the responder follows "System Down - Complete Outage"
    And the link "metaaggregator.com:443" holds again
    Then service is restored within the target
    And no return before the last one counts as recovery
    And the step "Monitor recovery" fails
    And the decision "If service is not restored" is yes
