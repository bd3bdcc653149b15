"""``manage.py verify_tenant <id>``: the proof, now. Exit status 0 only if the tenant is connected afterwards."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from audit.record import COMMAND_LINE
from tenants import scope
from tenants.lookup import find_tenant
from tenants.models import Tenant, TenantState
from tenants.proof import prove
from tenants.states import words_for


class Command(BaseCommand):
    """A fresh token, its roles, one live read."""

    help = "Prove a tenant's connection now; exit status 0 only if it is connected."

    def add_arguments(self, parser: CommandParser) -> None:
        """Which tenant."""
        parser.add_argument("tenant", help="Entra tenant id (GUID), slug or domain of a tenant that was named before.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prove, say what was found, and exit accordingly."""
        with scope.operations():
            tenant = find_tenant(options["tenant"])
        if tenant is None:
            raise CommandError(
                "No such tenant. Name it first: manage.py connect_tenant <id-or-domain> --name NAME", returncode=2
            )
        if tenant.state == TenantState.DISCONNECTED:
            raise CommandError("Staff disconnected this tenant. Make a new link first: manage.py connect_tenant …")
        verdict = prove(tenant=tenant, by=COMMAND_LINE, now=timezone.now())
        with scope.operations():
            tenant = Tenant.objects.get(pk=tenant.pk)
        words = words_for(tenant)
        state = tenant.get_state_display()
        if tenant.state == TenantState.CONNECTED and not verdict.proven:
            state = "Not proved now, so it stays as it was (connected)"
        self.stdout.write(f"{tenant.name} ({tenant.entra_id}): {state}. {words.sentence}")
        if verdict.token and verdict.token.facts.readable:
            self.stdout.write(f"Roles in the token: {', '.join(verdict.token.facts.roles) or 'none'}")
        if verdict.reference:
            self.stdout.write(f"Reference for a support case: {verdict.reference}")
        if tenant.state != TenantState.CONNECTED or not verdict.proven:
            if words.step:
                self.stdout.write(f"Next: {words.step}")
            sys.exit(1)
