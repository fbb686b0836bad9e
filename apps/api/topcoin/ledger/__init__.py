"""The ledger: every balance, real or simulated, and every entry that made it."""
