Feature: Communication Channels
  An alert must arrive though a channel is down; what can wait goes to whom it concerns; the public can read how things stand.

  Background:
    Given the system is in its steady state

  @recovers-by:if_slack_does_not_take
  Scenario: Slack is down, and the alert arrives by Discord
    Given the probes "slack, discord" are watched too
    When the outside API "slack" answers 503
    And the responder takes the steps "Post the alert to Slack", "If Slack", "If Discord" of "Communication Channels"
    Then the step "Post the alert to Slack" fails
    And the decision "If Slack does not take the alert" is yes
    And "@joeri_dev" is reached by "discord"
    And the decision "If Discord does not take the alert either" is no
    And nothing reaches "phone"

  @recovers-by:if_discord_does_not_take
  Scenario: Slack is down and Discord limits our rate, so the primary is called
    Given the probes "slack, discord" are watched too
    And people's time runs 1000 times as fast
    When the outside API "slack" answers 500
    And the outside API "discord" answers 429
    And the responder takes the steps "Post the alert to Slack", "If Slack", "If Discord" of "Communication Channels"
    Then the step "Post the alert to Slack" fails
    And nothing reaches "discord"
    And "+1-555-0123" is reached by "phone"
    And "primary" acknowledges within 5 minutes

  @recovers-by:post_development_issues @no-fault:a_development_issue_is_no_incident
  Scenario: A development issue goes to Discord, and wakes nobody
    When the responder takes the step "Post development issues" of "Communication Channels"
    Then "discord" receives "DEVELOPMENT"
    And nothing reaches "slack"
    And nothing reaches "phone"

  @recovers-by:email_non-urgent @no-fault:what_can_wait_is_no_incident
  Scenario: What can wait arrives at operations by e-mail
    When the responder takes the step "Email non-urgent matters" of "Communication Channels"
    Then "operations@metaaggregator.com" is reached by "smtp"
    And nothing reaches "slack"

  @recovers-by:resolve_the_incident
  Scenario: The status page carries the incident from investigating to resolved
    When the outside API "zeroex" answers 503
    And the responder takes the steps "Publish the incident", "to identified" of "Communication Channels"
    And the outside API "zeroex" recovers
    And the responder takes the steps "to monitoring", "Resolve the incident" of "Communication Channels"
    Then the status page carries one incident through "investigating, identified, monitoring, resolved"
    And service is restored within 5 minutes
