"""An emulator of Entra ID, Defender XDR and a thin slice of Graph: for the demo and for tests, never for production.

It is a process of its own, knows nothing of the portal and speaks only what Microsoft's services speak.
Start it with ``python -m sandbox`` or, in a test, with ``sandbox.server.running(World(...))``.
"""
