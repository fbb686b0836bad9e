"""TopCoin: a simulated-trading programme on real deposits, with books that cannot mislead the people in them."""
