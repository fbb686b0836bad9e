"""The books for others' tools: every entry as CSV or JSON lines, or the whole as a Beancount ledger."""
