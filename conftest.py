"""Makes the suite's own steps known to pytest: importing them is all it takes."""

pytest_plugins = ["steps.people", "steps.data"]
