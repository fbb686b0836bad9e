"""Make the demo data: the same as `topcoin seed` and `make seed`.

    python scripts/seed_dev.py [--json]

As often as one likes, with the same result; refused in production.
"""

import sys

from topcoin.entrypoints.cli.main import app

if __name__ == "__main__":
    app(["seed", *sys.argv[1:]])
