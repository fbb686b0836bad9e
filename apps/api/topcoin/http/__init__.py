"""The frame that routes are written against: router, sessions, actors, problems, idempotency, pages.

It knows no package of the business; those that have routes know it.
"""
