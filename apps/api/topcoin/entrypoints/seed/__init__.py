"""The demo data: a customer, two admins, a wallet, markets and plans, made once and the same wherever they are made."""
