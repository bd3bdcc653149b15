"""``manage.py api_token``: a token for a program that is nobody's, and the service account that owns it."""

from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from api.models import Verb
from api.tokens import LONGEST_LIFE, NotMade, Reach, make
from audit.record import COMMAND_LINE, Event, record
from tenants import scope
from tenants.models import Tenant, TenantGroup


class Command(BaseCommand):
    """A service account is a local account without a password: nobody signs in with it, staff give it roles."""

    help = "Make an API token for an account by its user name, and print its value once."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whose, what for, how long."""
        parser.add_argument("--owner", required=True, metavar="USERNAME", help="A local or service account.")
        parser.add_argument("--new", metavar="NAME", help="Make the service account first, shown under this name.")
        parser.add_argument("--name", help="What the token is called; with --new alone, no token is made.")
        parser.add_argument("--may", nargs="+", choices=Verb.values, default=[Verb.READ_INCIDENTS.value])
        parser.add_argument("--tenant", nargs="*", default=[], metavar="SLUG")
        parser.add_argument("--group", nargs="*", default=[], metavar="NAME")
        parser.add_argument("--days", type=int, default=90, help=f"At most {LONGEST_LIFE.days}.")

    def handle(self, *args: Any, **options: Any) -> None:
        """All or nothing, with lines in the audit log. Without tenants and groups: every tenant of the account."""
        with transaction.atomic(), scope.operations():
            owner = self._owner(options)
            if not options["name"]:
                self.stdout.write(f"{owner} (#{owner.pk}) is there. Next: staff give it roles; then make its token.")
                return
            value = self._made(owner, options)
        self.stdout.write(f"Token (shown once): {value}")

    def _owner(self, options: dict[str, Any]) -> User:
        name = options["owner"]
        found = User.objects.filter(username=name).first()
        if found is None and options["new"]:
            found = User(username=name, display_name=options["new"])
            found.set_unusable_password()
            found.save()
            record(Event(by=COMMAND_LINE, action="create service account", subject=f"{found} (#{found.pk})"))
        if found is None:
            raise CommandError(
                f"There is no service account or local account {name}; --new makes a service account. "
                "People who sign in with Microsoft make tokens themselves, under API tokens."
            )
        return found

    def _made(self, owner: User, options: dict[str, Any]) -> str:
        now = timezone.now()
        tenants = list(Tenant.objects.filter(slug__in=options["tenant"]))
        groups = list(TenantGroup.objects.filter(name__in=options["group"]))
        wanted = {*options["tenant"], *options["group"]}
        if unknown := wanted - {one.slug for one in tenants} - {one.name for one in groups}:
            raise CommandError(f"There is no tenant or group {', '.join(sorted(unknown))}.")
        try:
            _, value = make(
                owner=owner, name=options["name"][:60], verbs=[Verb(verb) for verb in options["may"]],
                reach=Reach(not wanted, tuple(tenants), tuple(groups)),
                expires_at=now + timedelta(days=options["days"]), by=COMMAND_LINE, now=now,
            )  # fmt: skip
        except NotMade as sentence:
            raise CommandError(str(sentence)) from None
        return value
