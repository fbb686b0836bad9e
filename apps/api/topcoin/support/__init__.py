"""Support: customers' tickets, and the clock that runs on them."""
