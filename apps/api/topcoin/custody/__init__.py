"""Custody: real money in (deposits) and real money out (withdrawals)."""
