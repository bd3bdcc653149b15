"""A fixed sample of damaged incidents through the store. `make payloads` takes ten thousand."""

import pytest

from incidents.models import Alert, Incident, Quarantine
from tenants import scope
from tests.defender.payloads import documented_alert, documented_entity
from tests.hostile import ways
from tests.hostile.payloads import payload, sound
from tests.hostile.trial import MIB, Trial, memory_mib
from tests.incidents.arranged import connected_tenant, incident, sent, store

pytestmark = pytest.mark.django_db
# 50 MB, which nobody has ever seen.
ENORMOUS = 50 * 1000 * 1000


def test_sync_f17_f19_damaged_incidents_are_read_or_put_aside_and_their_neighbours_saved() -> None:
    figures = Trial(connected_tenant(), seed=20261).run(240)
    assert figures.payloads == 240
    assert set(figures.ways) == {*ways.READ, *ways.ASIDE, *ways.EITHER}
    assert figures.read > 100 and figures.aside > 50 and figures.stubs > 10
    assert figures.grown_mib < 100


def test_a_damaged_incident_is_the_same_for_the_same_seed_and_number() -> None:
    assert [payload(1, n) for n in range(50)] == [payload(1, n) for n in range(50)]
    assert payload(1, 49).raw != payload(2, 49).raw


def test_sync_f18_an_incident_of_fifty_megabytes_is_put_aside_and_its_neighbours_saved() -> None:
    contoso = connected_tenant()
    enormous = sent(incident(7))[:-1] + b',"padding":"' + b"x" * ENORMOUS + b'"}'
    before = memory_mib()
    result = store(contoso, *(sound(n, 1) for n in range(101, 151)), enormous, *(sound(n, 1) for n in range(201, 250)))
    grown = memory_mib() - before
    assert (result.seen, result.new, result.quarantined) == (100, 99, 1)
    with scope.tenant(contoso.pk):
        aside = Quarantine.objects.get()
        assert (aside.number, aside.reason, aside.size) == (7, "too_large", len(enormous))
        assert bytes(aside.body) == enormous[: 16 * MIB]
        assert Incident.objects.get(number=7).is_stub
    assert grown < 100


@pytest.mark.parametrize("alerts", [150, 500])
def test_sync_f18_an_incident_of_hundreds_of_alerts_is_stored_whole(alerts: int) -> None:
    contoso = connected_tenant()
    many = [documented_alert(n, alertId=f"many{n}", entities=[entity(n, k) for k in range(10)]) for n in range(alerts)]
    result = store(contoso, sound(1, 1), incident(7, alerts=many), sound(2, 1))
    assert (result.new, result.quarantined) == (3, 0)
    with scope.tenant(contoso.pk):
        stored = Incident.objects.get(number=7)
        assert (stored.alert_count, stored.evidence_count) == (alerts, alerts * 11)
        assert Alert.objects.filter(incident=stored).count() == alerts


def entity(alert: int, number: int) -> dict[str, object]:
    return documented_entity("Url", url=f"https://{alert}.example/{number}")
