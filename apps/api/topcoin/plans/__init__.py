"""Managed plans: simulated investments whose results the operator reports and TopCoin computes (promise P4)."""
