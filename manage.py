#!/usr/bin/env python3
"""Every command of the portal, from the checkout, in whatever setting the environment names."""

import os
import sys

OWNER_COMMANDS = {"migrate", "makemigrations", "showmigrations", "sqlmigrate", "squashmigrations", "check"}
OWNER_COMMANDS |= {"seal_audit"}  # no other role may remove a row of the audit log
WEB_COMMANDS = {"runserver"}


def process_for(command: str) -> str:
    """Which database role a command runs as: owner for a few, web for the web server, worker for the rest."""
    if command in OWNER_COMMANDS:
        return "owner"
    return "web" if command in WEB_COMMANDS else "worker"


def main() -> None:
    """Start the servers the local setting needs, then hand over to Django."""
    command = sys.argv[1] if len(sys.argv) > 1 else "help"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    os.environ.setdefault("PORTAL_PROCESS", process_for(command))
    try:
        from portal import start
    except ImportError as missing:
        sys.exit(f"A package is missing ({missing.name}). Run 'make' to see how to install what the portal needs.")
    start.run(sys.argv)


if __name__ == "__main__":
    main()
