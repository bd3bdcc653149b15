"""The product: Microsoft's incidents in PostgreSQL, kept current, shown in one queue."""
