"""Write topcoin/ledger/checking/functions.py from a migrated database: `python scripts/function_hashes.py`.

To be run after a migration that changes a function of the ledger; a test says when.
"""

import hashlib
from pathlib import Path

import psycopg

from topcoin.infra.database.connect import Role, database_url, running_database
from topcoin.infra.settings import current_settings

TARGET = Path(__file__).resolve().parents[1] / "topcoin" / "ledger" / "checking" / "functions.py"
NAMES = (
    "ledger_chart_allows",
    "ledger_is_own_book",
    "ledger_post",
    "ledger_sequence_at",
    "ledger_unit_of",
    "refuse_change",
)


def main() -> None:
    """Read the functions' sources and write their hashes."""
    settings = current_settings()
    with running_database(settings), psycopg.connect(database_url(settings, Role.READ)) as connection:
        rows = connection.execute(
            "SELECT proname, prosrc FROM pg_proc WHERE proname = ANY (%s)", [list(NAMES)]
        ).fetchall()
    hashes = {name: hashlib.sha256(source.encode()).hexdigest() for name, source in rows}
    body = "".join(f'    "{name}": "{hashes[name]}",\n' for name in NAMES)
    TARGET.write_text(
        '"""SHA-256 of the source of each function in the database that writes or guards the ledger, for `verify`.\n\n'
        "Written by scripts/function_hashes.py from a migrated database; do not edit.\n"
        f'"""\n\nFUNCTION_HASHES = {{\n{body}}}\n'
    )


if __name__ == "__main__":
    main()
