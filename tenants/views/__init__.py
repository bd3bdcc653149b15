"""Pages for staff and members (``pages``, ``actions``) and for the customer's administrator (``customer``)."""
