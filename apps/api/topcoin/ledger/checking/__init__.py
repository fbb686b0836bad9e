"""Checking: everything in the ledger computed anew from its entries, by other code than wrote it."""
