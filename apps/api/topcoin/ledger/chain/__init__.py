"""The hash chain of an account: the canonical form of entries and journals."""
