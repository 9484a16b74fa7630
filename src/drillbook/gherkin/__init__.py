"""The generic Given, When and Then that any team's features can use; a suite adds its own words in its folder steps/."""

from drillbook.gherkin.phrases import Phrase, phrases

__all__ = ["Phrase", "phrases"]
