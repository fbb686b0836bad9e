"""Market data: the instruments that can be traded, and the candles of their prices."""
