"""What the HTTP frame asks of identity: whose a credential is."""
