"""Accounts: opening them, reading their figures, and the figures that trading keeps on them."""
