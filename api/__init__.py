"""What other programs read and decide: the REST API, its tokens and its description."""
