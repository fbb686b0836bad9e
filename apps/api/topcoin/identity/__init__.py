"""Who somebody is: users, the state of their identification, and whether they may come in and trade."""
