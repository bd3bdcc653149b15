"""Visits to the sandbox as anybody would make them: plain HTTP, no code of the portal."""
