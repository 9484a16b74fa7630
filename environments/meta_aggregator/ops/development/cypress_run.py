"""What `npx cypress run` does: an order from end to end, through the checkout's frontend and orders API."""

import sys

from ops.development.testing import run

if __name__ == "__main__":
    sys.exit(run(["end_to_end"], tool="cypress"))
