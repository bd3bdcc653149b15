"""Secrets with unmistakable values go through the whole portal; afterwards they are looked for in every place."""
