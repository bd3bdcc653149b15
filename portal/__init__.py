"""The project: wiring only, no business rules."""
