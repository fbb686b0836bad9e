-- The house: the user that the house's books belong to, and that stands as the actor where no person acted. Nobody can
-- sign in as it: it is not active, and '!' is the hash of no password.
INSERT INTO users (id, email, hashed_password, display_name, is_active)
VALUES ('00000000-0000-7000-8000-000000000001', 'house@topcoin.invalid', '!', 'The house', false);
