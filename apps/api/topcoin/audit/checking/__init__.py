"""Recomputing every chain of the audit trail, from outside of the code that wrote it."""
