"""Sign-ins: one session for each, until it expires, is revoked, or its user is shut out."""
