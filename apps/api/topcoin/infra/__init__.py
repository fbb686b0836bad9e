"""What the packages of the business stand on: database, settings, logging. No rule of the business is decided here."""
