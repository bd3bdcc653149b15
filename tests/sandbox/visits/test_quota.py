"""Quotas per tenant and app, with the recorded 429."""

import re
from collections.abc import Iterator

import pytest

from sandbox.quota import Quotas
from sandbox.server import running
from tests.sandbox.visits.visitor import Visitor, small_world


@pytest.fixture
def counted() -> Iterator[Visitor]:
    """A client of a world whose quotas count."""
    with running(small_world()) as sandbox:
        guest = Visitor(sandbox)
        yield guest
        guest.http.close()


@pytest.mark.parametrize("operation, allowed", [("list", 50), ("get", 100), ("patch", 50)])
def test_a_minute_holds_so_many_calls_and_not_one_more(operation: str, allowed: int) -> None:
    quotas = Quotas()
    assert [quotas.spend("t", operation, now=100.0 + n / 100) for n in range(allowed)] == [None] * allowed
    refused = quotas.spend("t", operation, now=101.0)
    assert refused is not None and refused.allowed == allowed and 1 <= refused.seconds <= 60
    assert quotas.spend("another", operation, now=101.0) is None
    assert quotas.spend("t", operation, now=101.0 + refused.seconds) is None


def test_an_hour_holds_1500_calls_even_when_every_minute_is_kept() -> None:
    quotas = Quotas()
    taken = sum(quotas.spend("t", "list", now=float(n) * 2) is None for n in range(1700))
    assert taken == 1500


def test_a_refused_call_costs_nothing() -> None:
    quotas = Quotas()
    for _ in range(200):
        quotas.spend("t", "list", now=0.0)
    assert quotas.spend("t", "list", now=60.0) is None


def test_the_51st_list_call_is_told_when_to_come_back(counted: Visitor) -> None:
    answers = [counted.api("/api/incidents", params={"$top": "1"}) for _ in range(51)]
    assert [one.status_code for one in answers] == [200] * 50 + [429]
    error = answers[-1].json()["error"]
    found = re.fullmatch(
        r"API calls quota exceeded! Maximum allowed 50 per 00:01:00 for the key Destination\+TenantID\+AppID\. "
        r"You can send requests again in (\d+) seconds\.",
        error["message"],
    )
    assert found and 1 <= int(found[1]) <= 60
    assert (error["code"], error["target"]) == ("429", counted.path_of("contoso"))
    assert counted.api("/api/incidents", "fabrikam").status_code == 200
    counted.world.advance(seconds=60)
    assert counted.api("/api/incidents").status_code == 200


@pytest.mark.parametrize("with_header", [True, False])
def test_retry_after_is_there_or_not_as_the_world_says(counted: Visitor, with_header: bool) -> None:
    counted.world.retry_after = with_header
    for _ in range(50):
        counted.world.quotas.spend(counted.path_of("contoso"), "list", now=counted.world.clock.seconds())
    answer = counted.api("/api/incidents")
    assert answer.status_code == 429
    assert ("Retry-After" in answer.headers) is with_header


def test_the_throttling_tenant_refuses_some_and_answers_some() -> None:
    with running(small_world(tenants=["Contoso", "Trey Research"], quotas=False)) as sandbox:
        guest = Visitor(sandbox)
        statuses = set()
        for _ in range(60):
            statuses.add(guest.api("/api/incidents", "Trey Research", params={"$top": "1"}).status_code)
            guest.world.advance(seconds=7)
        guest.http.close()
    assert statuses == {200, 429}
