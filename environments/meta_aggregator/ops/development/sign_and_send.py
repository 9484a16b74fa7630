"""What the backend's signAndSend.js does: sign transactions with a key and send them raw, to a fresh chain."""

import sys

from ops.development.testing import run

if __name__ == "__main__":
    sys.exit(run(["sign_and_send"], tool="hardhat", chain=True))
