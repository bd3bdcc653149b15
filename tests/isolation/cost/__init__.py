"""What row-level security costs the queue and its search."""
