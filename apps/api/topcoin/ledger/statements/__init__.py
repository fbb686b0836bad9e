"""Reading the ledger: pages of entries, statements, balances in the past, and what a balance is made of."""
