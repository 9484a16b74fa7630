Feature: On-Call Escalation Path
  Who is called, for how long, and who is next. The people are simulated: each acknowledges after the time that environment.yaml
  says, or does not, and their time runs faster here than the drill's, which the report says with every call.

  Background:
    Given the system is in its steady state
    And people's time runs 1000 times as fast

  @recovers-by:call_the_primary
  Scenario: The primary acknowledges in time, and nobody else is woken
    When the outside API "zeroex" answers 503
    And the responder follows "On-Call Escalation Path"
    Then "slack" receives "ALERT"
    And "primary" acknowledges within 5 minutes
    And the decision "If the primary has not acknowledged" is no
    And "secondary" is not called
    And "security" is not called

  @recovers-by:if_the_primary_has_not_acknowledged
  Scenario: The primary never picks up, and the secondary is called after five minutes
    When "primary" does not pick up
    And the responder follows "On-Call Escalation Path"
    Then the step "Call the primary" notices the fault
    And "primary" is passed over after 5 minutes
    And "secondary" acknowledges within 10 minutes
    And "security" is not called

  @recovers-by:if_the_primary_has_not_acknowledged
  Scenario: The primary picks up when it is too late, and the secondary has it
    When "primary" picks up only after 8 minutes
    And the responder follows "On-Call Escalation Path"
    Then the step "Call the primary" notices the fault
    And "primary" is passed over after 5 minutes
    And "secondary" acknowledges within 10 minutes

  @recovers-by:if_nobody_has_acknowledged
  Scenario: Neither the primary nor the secondary picks up, and the security team is called
    When "primary" does not pick up
    And "secondary" does not pick up
    And the responder follows "On-Call Escalation Path"
    Then the step "Call the primary" notices the fault
    And "primary" is passed over after 5 minutes
    And "secondary" is passed over after 5 minutes
    And "security" acknowledges within 15 minutes
    And "+1-555-0911" is reached by "phone"

  @recovers-by:call_security_hotline
  Scenario: A contract incident goes to the security team first, with the exact words
    Given the probes "funds" are watched too
    And the escrow runs the release "EscrowUnguarded"
    When an attacker drains the escrow by reentrancy
    And the responder takes the steps "Call Security Hotline", "Send message to #emergency-response" of "Smart Contract Issue"
    Then "security" is called first
    And "security" acknowledges within 2 minutes
    And "primary" is not called
    And "slack" receives exactly "SMART CONTRACT EXPLOIT SUSPECTED"
