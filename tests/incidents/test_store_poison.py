"""One poisoned incident stays alone: put aside with its bytes, shown as a stub, settled by a later good version."""

from typing import Any

import pytest

from incidents import store_sql
from incidents.models import Incident, IncidentRaw, Quarantine, Severity
from incidents.quarantine import to_try_again
from tenants import scope
from tenants.models import Tenant
from tests.incidents.arranged import NOW, connected_tenant, incident, newest_first, sent, store
from tests.incidents.test_store import assert_rollup_is_exact, the

pytestmark = pytest.mark.django_db


@pytest.fixture
def contoso() -> Tenant:
    return connected_tenant()


def poisoned(number: int, **fields: Any) -> bytes:
    """An incident whose number and time can be found, and nothing else read."""
    return sent(incident(number, **fields))[:-1] + b',"broken":[}'


@pytest.mark.parametrize("position", [0, 1, 50, 98, 99])
def test_sync_f19_f31_one_poisoned_of_a_hundred_leaves_ninety_nine(contoso: Tenant, position: int) -> None:
    page: list[Any] = newest_first(incident(n) for n in range(1, 101))
    number = page[position]["incidentId"]
    page[position] = poisoned(number)
    result = store(contoso, *page)
    assert (result.seen, result.new, result.quarantined) == (100, 99, 1)
    assert (result.newest_text, result.newest_first) == (incident(100)["lastUpdateTime"], True)
    with scope.tenant(contoso.pk):
        aside = Quarantine.objects.get()
        assert (aside.number, aside.reason, bytes(aside.body)) == (number, "syntax", page[position])
        assert Incident.objects.filter(is_stub=False).count() == 99
    stub = the(contoso, number)
    assert (stub.name, stub.is_open, stub.severity) == (f"Incident {number} could not be read", True, Severity.UNKNOWN)
    assert stub.updated_text == incident(number)["lastUpdateTime"]
    assert_rollup_is_exact(contoso)


def test_a_good_version_settles_what_was_put_aside(contoso: Tenant) -> None:
    store(contoso, poisoned(1))
    store(contoso, incident(1, updated=5))
    assert not the(contoso, 1).is_stub
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get().settled_at == NOW
        assert bytes(IncidentRaw.objects.get().body) == sent(incident(1, updated=5))
    assert_rollup_is_exact(contoso)


def test_a_poisoned_version_does_not_take_the_place_of_a_good_one(contoso: Tenant) -> None:
    store(contoso, incident(1, incidentName="good"))
    result = store(contoso, poisoned(1, updated=5))
    assert (result.quarantined, result.changed) == (1, 0)
    assert the(contoso, 1).name == "good"
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get().settled_at is None


def test_an_older_good_version_is_shown_but_settles_nothing(contoso: Tenant) -> None:
    store(contoso, poisoned(1, updated=9))
    store(contoso, incident(1, updated=5))
    assert not the(contoso, 1).is_stub
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get().settled_at is None


def test_good_and_poisoned_of_one_number_on_one_page_show_the_good_one(contoso: Tenant) -> None:
    store(contoso, poisoned(1, updated=9), incident(1, updated=5))
    assert not the(contoso, 1).is_stub


def test_an_entry_without_a_number_is_kept_though_it_cannot_be_shown(contoso: Tenant) -> None:
    result = store(contoso, b'{"incidentName": "nameless"}', b"17", incident(2))
    assert (result.seen, result.new, result.quarantined) == (3, 1, 2)
    with scope.tenant(contoso.pk):
        assert set(Quarantine.objects.values_list("reason", "number")) == {
            ("no_incident_id", None),
            ("not_an_object", None),
        }
        assert Incident.objects.count() == 1
    assert store(contoso, b"17").quarantined == 0, "known by its bytes"


def test_text_that_postgresql_cannot_hold_is_replaced_and_the_bytes_kept(contoso: Tenant) -> None:
    raw = sent(incident(1, incidentName="a\x00b\ud800c", tags=["t\x00"]))
    assert store(contoso, raw).quarantined == 0
    stored = the(contoso, 1)
    assert (stored.name, stored.cleaned) == ("a\ufffdb\ufffdc", True)
    with scope.tenant(contoso.pk):
        assert bytes(IncidentRaw.objects.get().body) == raw


@pytest.mark.parametrize("text", ["2026-03-01T0\x00:00Z", "2026\\u0000", "\udcff2026"])
def test_sync_f19_a_stub_can_be_stored_whatever_stands_in_place_of_its_time(contoso: Tenant, text: str) -> None:
    time = text.encode(errors="surrogateescape")
    raw = b'{"incidentId":3,"lastUpdateTime":"' + time + b'","deep":' + b"[" * 99 + b"]" * 99 + b"}"
    result = store(contoso, raw, incident(2))
    assert (result.new, result.quarantined) == (1, 1)
    assert the(contoso, 3).is_stub


def test_sync_f19_bytes_whose_number_only_the_reader_finds_are_written_once(contoso: Tenant) -> None:
    """A quick look takes the first of two numbers where NaN stands beside them, a reader the last."""
    raw = b'{"incidentId":7,' + sent(incident(1))[1:-1] + b',"score":NaN}'
    assert store(contoso, raw).new == 1
    assert (store(contoso, raw).new, store(contoso, raw).changed) == (0, 0)
    assert the(contoso, 1).cleaned


def test_what_the_database_refuses_is_parted_from_its_neighbours(
    contoso: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that lets something through is imitated at the last moment, in the values on their way to PostgreSQL."""
    write = store_sql.write

    def spoil(parameters: dict[str, Any]) -> int:
        incidents = parameters["incidents"].replace('"name":"unstorable"', '"name":"\\u0000"')
        return write({**parameters, "incidents": incidents})

    monkeypatch.setattr(store_sql, "write", spoil)
    result = store(contoso, incident(3), incident(2, incidentName="unstorable"), incident(1))
    assert (result.new, result.quarantined) == (2, 1)
    with scope.tenant(contoso.pk):
        assert Quarantine.objects.get().reason == "not-storable"
    assert the(contoso, 2).is_stub
    assert_rollup_is_exact(contoso)


def test_more_than_the_cap_is_cut_and_its_size_noted(contoso: Tenant) -> None:
    huge = sent(incident(1, incidentName="x" * 17_000_000))
    result = store(contoso, huge)
    assert result.quarantined == 1
    with scope.tenant(contoso.pk):
        aside = Quarantine.objects.get()
        assert (aside.reason, aside.size, len(aside.body)) == ("too_large", len(huge), 16 * 1024 * 1024)
    assert the(contoso, 1).is_stub


def test_a_newer_parser_tries_again(contoso: Tenant) -> None:
    store(contoso, poisoned(1))
    with scope.tenant(contoso.pk):
        assert to_try_again(contoso.pk, limit=10) == []
        Quarantine.objects.update(parser_version=0)
        assert to_try_again(contoso.pk, limit=10) == [poisoned(1)]
