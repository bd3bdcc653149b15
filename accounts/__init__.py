"""The MSSP's own people: users, roles, sign-in."""
