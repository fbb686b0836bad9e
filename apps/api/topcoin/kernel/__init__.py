"""Values and rules that every package shares: money, ids, time, errors, pages. Pure: nothing here does I/O."""
