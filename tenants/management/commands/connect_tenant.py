"""``manage.py connect_tenant <id-or-domain> --name NAME``: pins a tenant to a customer and prints the link to send."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.record import COMMAND_LINE
from defender.errors import DefenderError
from tenants import consent, scope


class Command(BaseCommand):
    """Connects a tenant as far as the portal's side goes: the customer's consent comes next."""

    help = "Name a customer's Entra tenant and print the link that asks its administrator for consent."

    def add_arguments(self, parser: CommandParser) -> None:
        """The tenant and its customer."""
        parser.add_argument("tenant", help="Entra tenant id (GUID) or a verified domain.")
        parser.add_argument("--name", required=True, help="The customer's name.")
        parser.add_argument("--form", choices=["v1", "v2"], default="", help="Which consent page; default: chosen.")
        if settings.IS_SANDBOX:
            parser.add_argument("--sandbox-approve", action="store_true", help="Consent in the sandbox at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        """One link on standard output; everything else on standard error."""
        try:
            found = consent.look_up(options["tenant"])
            with scope.operations():
                invitation = consent.begin(
                    customer_name=options["name"],
                    found=found,
                    form=options["form"],
                    by=COMMAND_LINE,
                    now=timezone.now(),
                )
        except consent.Refused as sentence:
            raise CommandError(str(sentence)) from sentence
        except DefenderError as error:
            raise CommandError(consent.told(error)) from error
        tenant = invitation.tenant
        self.stderr.write(f"{tenant.name}: tenant {tenant.entra_id}, {tenant.get_state_display().lower()}.")
        self.stderr.write(
            f"Send this link to the customer's administrator (good until {invitation.request.expires_at:%F %H:%M} UTC):"
        )
        self.stdout.write(invitation.link)
        if options.get("sandbox_approve"):
            self._approve(tenant)

    def _approve(self, tenant: Any) -> None:
        """Ask the sandbox's control API to consent, as its page's button does."""
        import requests

        url = f"{settings.SANDBOX_URLS['login']}/_sandbox/tenants/{tenant.entra_id}/consent"
        try:
            response = requests.post(url, json={}, timeout=10)
        except requests.RequestException as failure:
            raise CommandError(f"The sandbox does not answer at {settings.SANDBOX_URLS['login']}.") from failure
        if not response.ok:
            raise CommandError(f"The sandbox did not approve (HTTP {response.status_code}).")
        self.stderr.write(f"Approved in the sandbox. Next: manage.py verify_tenant {tenant.entra_id}")
