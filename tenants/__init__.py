"""Customers, their Entra tenants, consent, tokens, request budget, and people's access to tenants."""
