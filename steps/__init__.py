"""The Meta Aggregator suite's own words: what people do at the runbook's manual steps, and Gherkin about its data."""
