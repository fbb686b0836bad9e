"""The chart of accounts: which books there are, in which unit, and which entries may stand between them."""
