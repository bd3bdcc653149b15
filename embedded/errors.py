"""What can go wrong, always as one sentence that a person can act on."""


class EmbeddedError(Exception):
    """The embedded servers cannot be used; the message says why and what to do."""
