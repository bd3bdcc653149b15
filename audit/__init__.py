"""Who did what to whom: append-only. Knows no other app."""
