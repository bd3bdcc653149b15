"""The store against a model: whatever happens to incidents and alerts, the tables hold what was last sent."""

import random
from typing import Any

import pytest

from incidents import daily, rollup
from incidents.models import Alert, Evidence, Incident
from tenants import scope
from tenants.models import Tenant
from tests.defender.payloads import documented_alert, documented_entity
from tests.incidents.arranged import connected_tenant, incident, newest_first, store

pytestmark = pytest.mark.django_db
INCIDENTS, ALERTS, TURNS = 8, 20, 25


class Model:
    """What Microsoft would hold: incidents, and each alert in one incident or in none."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = 0
        self.home: dict[str, int | None] = {f"a{n}": self.rng.randint(1, INCIDENTS) for n in range(ALERTS)}
        self.values = dict.fromkeys(self.home, 0)
        self.fields: dict[int, dict[str, Any]] = {n: {} for n in range(1, INCIDENTS + 1)}
        self.updated = dict.fromkeys(self.fields, 0)

    def turn(self) -> None:
        """An alert moves, leaves, comes back or changes, or an incident does."""
        self.clock += 1
        alert, number = self.rng.choice(sorted(self.home)), self.rng.randint(1, INCIDENTS)
        touched = {self.home[alert], number} - {None}
        if self.rng.random() < 0.6:
            self.home[alert] = self.rng.choice([number, number, None])
        else:
            self.values[alert] += 1
            touched = {self.home[alert]} - {None}
        self.fields[number] = {
            "status": self.rng.choice(["Active", "InProgress", "Resolved", "Redirected"]),
            "severity": self.rng.choice(["Low", "High"]),
            "assignedTo": self.rng.choice([None, "alice@contoso.com"]),
            "tags": self.rng.sample(["a", "b", "c"], self.rng.randint(0, 3)),
        }
        for changed in (touched | {number}) - {None}:
            self.updated[changed or 0] = self.clock

    def page(self) -> list[dict[str, Any]]:
        """Everything, newest first."""
        return newest_first(self.raw(number) for number in self.fields)

    def raw(self, number: int) -> dict[str, Any]:
        alerts = [self.alert(alert) for alert, home in sorted(self.home.items()) if home == number]
        return incident(number, updated=self.updated[number], alerts=alerts, **self.fields[number])

    def alert(self, alert_id: str) -> dict[str, Any]:
        entities = [documented_entity("Ip", ipAddress=f"192.0.2.{n}") for n in range(self.values[alert_id] % 3 + 1)]
        return documented_alert(1, alertId=alert_id, devices=[], entities=entities, title=f"v{self.values[alert_id]}")


def assert_equal(contoso: Tenant, model: Model) -> None:
    with scope.tenant(contoso.pk):
        homes = {a.alert_id: None if a.gone_at else a.incident.number for a in Alert.objects.select_related("incident")}
        listed = {alert: home for alert, home in model.home.items() if home is not None}
        assert {alert: home for alert, home in homes.items() if home is not None} == listed
        for alert in listed:
            assert Evidence.objects.filter(alert__alert_id=alert).count() == model.values[alert] % 3 + 1
        for number, fields in model.fields.items():
            held = Incident.objects.get(number=number)
            assert set(held.tags.values_list("tag", flat=True)) == set(fields.get("tags", held_tags(model, number)))
            assert held.alert_count == sum(home == number for home in listed.values())
        assert rollup.kept(contoso.pk) == rollup.counted(contoso.pk)
        assert daily.kept(contoso.pk) == daily.counted(contoso.pk)


def held_tags(model: Model, number: int) -> list[str]:
    tags: list[str] = model.raw(number)["tags"]
    return tags


@pytest.mark.parametrize("seed", range(4))
def test_sync_f15_membership_is_as_last_sent_and_no_alert_is_ever_lost(seed: int) -> None:
    contoso, model = connected_tenant(), Model(seed)
    ever: set[str] = set()
    for _ in range(TURNS):
        for _ in range(model.rng.randint(1, 3)):
            model.turn()
        page = model.page()
        half = model.rng.randint(0, len(page))
        store(contoso, *page[:half])
        store(contoso, *page[half:])
        assert_equal(contoso, model)
        with scope.tenant(contoso.pk):
            stored = set(Alert.objects.values_list("alert_id", flat=True))
        assert ever <= stored
        ever = stored
