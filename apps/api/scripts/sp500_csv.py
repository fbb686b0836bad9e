"""Write 20 years of daily S&P 500 prices (1999 to 2018) as CSV: real data for a first import.

    python scripts/sp500_csv.py OUT.csv

The prices come with the package `arch`, which the development requirements install; nothing is downloaded.
"""

import sys
from pathlib import Path

from arch.data import sp500


def main(arguments: list[str]) -> int:
    """Write the file that the one argument names."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python scripts/sp500_csv.py OUT.csv\n")
        return 2
    prices = sp500.load()
    Path(arguments[0]).write_text(prices.to_csv(), encoding="utf-8")  # pyright: ignore[reportUnknownMemberType] - pandas has no types
    sys.stdout.write(f"{len(prices)} daily candles written to {arguments[0]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
