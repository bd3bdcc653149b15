"""A typed client for Entra ID and the Microsoft Defender and Graph APIs. It imports no Django."""
