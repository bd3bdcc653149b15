"""Pages for staff and members, and in ``customer`` those for the customer's administrator."""
