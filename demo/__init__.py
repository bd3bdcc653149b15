"""The try-out on one machine: every process, the cast, and what to look at. Never in production."""
