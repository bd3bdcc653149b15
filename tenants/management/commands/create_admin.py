"""``manage.py create_admin``: the first person who may do everything that staff does, and read every tenant."""

import getpass
import secrets
import sys
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse

from accounts import second_factor
from accounts.models import User
from accounts.roles import Role
from audit.record import COMMAND_LINE, Event, record
from tenants import scope
from tenants.grants import grant_everywhere


class Command(BaseCommand):
    """Makes a staff account, or sets a new password for it."""

    help = "Make a staff account that reads every tenant (or give it a new password)."

    def add_arguments(self, parser: CommandParser) -> None:
        """Name and where the password comes from; never the password itself, which other users could see."""
        parser.add_argument("--username", default="admin")
        parser.add_argument("--name", default="", help="The name shown to others.")
        parser.add_argument("--password-file", type=Path, help="Read the password from the first line of this file.")
        parser.add_argument(
            "--no-tenants",
            action="store_true",
            help="Staff only: grant no role over tenants, so the queue stays empty.",
        )
        parser.add_argument("--generate", action="store_true", help="Make a password and print it once.")
        parser.add_argument(
            "--new-second-factor",
            action="store_true",
            help="The authenticator is lost: the next sign-in sets up a new one.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Create or update, with an audit row."""
        password = self._password(options)
        user = User.objects.filter(username=options["username"]).first()
        try:
            validate_password(password, user or User(username=options["username"], display_name=options["name"]))
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        with scope.operations():
            user = self._save(user, options, password)
            record(Event(by=COMMAND_LINE, action="create admin", subject=options["username"]))
            if not options["no_tenants"]:
                grant_everywhere(user=user, role=Role.ANALYST, by=COMMAND_LINE)
            if options["new_second_factor"]:
                second_factor.forget(user=user, by=COMMAND_LINE)
        self.stdout.write(f"{options['username']} may sign in as staff.")
        if options["generate"]:
            self.stdout.write(f"Password (shown once): {password}")
        if settings.LOCAL_SECOND_FACTOR:
            self.stdout.write(f"Next: sign in at {settings.PORTAL_BASE_URL}{reverse('accounts:sign_in')} now.")
            self.stdout.write("The first sign-in sets up an authenticator and shows recovery codes, once; keep those.")
            self.stdout.write("Every sign-in with this account raises an alarm.")

    def _save(self, user: User | None, options: dict[str, Any], password: str) -> User:
        if user is None:
            return User.objects.create_local(
                username=options["username"], password=password, display_name=options["name"], is_staff=True
            )
        user.is_staff = user.is_active = True
        user.set_password(password)
        user.save()
        return user

    def _password(self, options: dict[str, Any]) -> str:
        if options["generate"]:
            return secrets.token_urlsafe(18)
        if options["password_file"]:
            try:
                return str(options["password_file"].read_text().splitlines()[0])
            except (OSError, IndexError) as missing:
                raise CommandError("The password file cannot be read or is empty.") from missing
        if not sys.stdin.isatty():
            raise CommandError("No terminal to ask for a password: use --password-file or --generate.")
        return getpass.getpass("Password: ")
