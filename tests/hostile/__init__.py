"""Incidents that are damaged in every way we know, ten thousand at a time, and what must hold for each page of them."""
