Feature: Performance Diagnostics

  Background:
    Given the system is in its steady state

  @no-fault:a_healthy_system_is_measured @no-recovering-step:x
  Scenario: A healthy system keeps every threshold
    When the load "browse-and-buy" is run
    Then the load "browse-and-buy" keeps its thresholds
