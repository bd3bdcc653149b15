"""Workers that are killed at every step of a pass, and what must hold when another one has taken over."""
