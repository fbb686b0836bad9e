"""SHA-256 of the source of each function in the database that writes or guards the ledger, for `verify`.

Written by scripts/function_hashes.py from a migrated database; do not edit.
"""

FUNCTION_HASHES = {
    "ledger_chart_allows": "61244a34aff54d327e26afbe712384406e995409698cbc1cc97d66424779978f",
    "ledger_is_own_book": "589826e7aeafdc6a995bcd6cf193e054dbcd6bf28a19090648de3e7dec9db661",
    "ledger_post": "512ba2374bf48d79fc736beacf4548e515f6cbab996d5fcda61e63876b6bbfad",
    "ledger_sequence_at": "96b311f7e486d74afb87779b945e4a44f40203c22225fdf537f5e6bb23ebb302",
    "ledger_unit_of": "776b72458ada72d47e820482a3d4808bc89c058b6d9ac81214607fbd00f8f893",
    "refuse_change": "fafc05f2481a5bcd50bc27bfba6355265113ab17c3f9570f826dc18c4bc6fbc9",
}
