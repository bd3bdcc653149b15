"""``manage.py check_credential``: asks Entra ID for a token with each live credential and tells what came back."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from defender.auth import TokenSource
from defender.errors import DefenderError
from defender.rotation import Live
from tenants import scope, tokens
from tenants.lookup import find_tenant
from tenants.models import SYNCING, Tenant


class Command(BaseCommand):
    """One line per credential. Ends with 1 where one of them does not work."""

    help = "Ask Entra ID for a token with each live credential of the portal; use it while one is replaced."

    def add_arguments(self, parser: CommandParser) -> None:
        """In which tenant to ask; any connected one will do."""
        parser.add_argument("--tenant", help="Tenant id, slug or domain (default: the first that is connected).")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask with each."""
        tenant_id = self._tenant(options["tenant"])
        works = [self._check(live, tenant_id) for live in tokens.live_credentials()]
        if not all(works):
            raise SystemExit(1)

    def _check(self, live: Live, tenant_id: UUID) -> bool:
        try:
            credential = live.load()
            about = f"{live.name} ({credential.kind}{_until(credential.expires_at)})"
            TokenSource(tokens.cloud(), settings.ENTRA_CLIENT_ID, credential, tokens.transport()).token(tenant_id)
        except DefenderError as error:
            code = f" ({error.code})" if error.code else ""
            self.stdout.write(f"{live.name}: refused{code}. {error.sentence} {error.step}".rstrip())
            return False
        self.stdout.write(f"{about}: works.")
        return True

    def _tenant(self, text: str | None) -> UUID:
        with scope.operations():
            found = find_tenant(text) if text else Tenant.objects.filter(state__in=SYNCING).order_by("pk").first()
        if found is None:
            raise CommandError(
                "No such tenant." if text else "No tenant is connected yet, so there is nobody to ask for a token."
            )
        return found.entra_id


def _until(expires_at: datetime | None) -> str:
    if expires_at is None:
        return ""
    return f", {(expires_at - timezone.now()).days} days left"
