"""Makes the suite's own steps known to pytest: importing them is all it takes."""

from pathlib import Path

pytest_plugins = [f"steps.{file.stem}" for file in sorted((Path(__file__).parent / "steps").glob("[a-z]*.py"))]
