"""`Idempotency-Key`: a command is carried out once, however often it is sent, and answered the same each time."""
