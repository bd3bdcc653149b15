"""``manage.py seed_demo``: the cast and the sandbox's tenants, named as staff would name them. May be run again."""

from typing import Any
from uuid import UUID

import requests
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone
from rich.console import Console
from rich.progress import track

from accounts.models import User
from audit.record import COMMAND_LINE, Event, record
from demo.cast import EMERGENCY, GRANTS, PASSWORD, PEOPLE, STAFF, TENANT_ID, Person
from incidents.models import Assignee
from tenants import consent, scope
from tenants.grants import grant_everywhere
from tenants.models import Grant, Tenant


class Command(BaseCommand):
    """People, groups, grants, tenants."""

    help = "Seed the demo's people and name the sandbox's tenants (local setting with the sandbox only)."

    def handle(self, *args: Any, **options: Any) -> None:
        """Tenants first, since grants name them."""
        if settings.PORTAL_ENV != "local" or not settings.IS_SANDBOX:
            raise CommandError("The demo's cast exists in the local setting with the sandbox only.")
        known = self._sandbox_tenants()
        console = Console(stderr=True)
        for row in track(known, description="Naming tenants", console=console, disable=not console.is_terminal):
            self._name(row)
        for person in PEOPLE:
            self._add(person)
        self._add_emergency_account()

    def _sandbox_tenants(self) -> list[dict[str, Any]]:
        url = f"{settings.SANDBOX_URLS['login']}/_sandbox/tenants"
        try:
            answer = requests.get(url, timeout=10).json()
        except requests.RequestException as failure:
            raise CommandError(f"The sandbox does not answer at {url}.") from failure
        rows: list[dict[str, Any]] = answer["tenants"] if isinstance(answer, dict) else answer
        return rows

    def _name(self, row: dict[str, Any]) -> None:
        """Pin the tenant; its link is made on the portal's page when somebody wants it."""
        with scope.operations():
            if not Tenant.objects.filter(entra_id=row["id"]).exists():
                found = consent.Found(UUID(row["id"]), row["domain"])
                consent.name_tenant(customer_name=row["name"], found=found, by=COMMAND_LINE, now=timezone.now())

    def _add(self, person: Person) -> None:
        """Known before the first sign-in, so that the grants are there when they come."""
        if User.objects.filter(tid=TENANT_ID, oid=person.object_id).exists():
            return
        with scope.operations(), transaction.atomic():
            user = User.objects.create(
                tid=TENANT_ID, oid=person.object_id, display_name=person.name, is_staff=STAFF in person.roles
            )
            Assignee.objects.create(user=user, address=person.address)
            for role, customer in GRANTS[person.user_name]:
                if customer is None:
                    grant_everywhere(user=user, role=role, by=COMMAND_LINE)
                elif tenant := Tenant.objects.filter(customer__name=customer).first():
                    Grant.objects.create(user=user, role=role, tenant=tenant)
            record(Event(by=COMMAND_LINE, action="seed demo account", subject=person.user_name))

    def _add_emergency_account(self) -> None:
        if not User.objects.filter(username=EMERGENCY).exists():
            with transaction.atomic():
                User.objects.create_local(username=EMERGENCY, password=PASSWORD, is_staff=True)
                record(Event(by=COMMAND_LINE, action="seed demo account", subject=EMERGENCY))
