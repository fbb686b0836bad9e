"""The operator's adjustments: changes to a customer's balances that always appear as what they are (promise P3)."""
