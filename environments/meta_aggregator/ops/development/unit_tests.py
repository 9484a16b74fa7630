"""What `npm test` does: the unit tests of the orders API and of what it asks others."""

import sys

from ops.development.testing import run

if __name__ == "__main__":
    sys.exit(run(["unit"], tool="next"))
