"""What the analysts' pages cost over a million incidents, side by side with other ways, in one run."""
