"""The account of calls: Microsoft's limits hold per tenant, people find a call left, and a 429 stops everybody."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from defender.errors import Throttled
from tenants import budget, scope
from tenants.models import Tenant
from tests.conftest import as_worker
from tests.databases import in_threads
from tests.incidents.arranged import connected_tenant

pytestmark = pytest.mark.short

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def contoso(db: None) -> Tenant:
    return connected_tenant()


def spend(tenant: Tenant, calls: int, *, verb: str = "list", at: float = 0, background: bool = True) -> int:
    """How many of the calls were allowed; stops at the first refusal."""
    for done in range(calls):
        try:
            with as_worker():
                moment = START + timedelta(seconds=at)
                budget.debit(tenant_id=tenant.pk, verb=verb, now=moment, background=background)
        except Throttled:
            return done
    return calls


@pytest.mark.parametrize("verb", ["list", "get", "patch"])
def test_no_minute_and_no_hour_sees_more_calls_than_microsoft_allows(contoso: Tenant, verb: str) -> None:
    """A caller that takes every call it can get, second after second, for longer than an hour."""
    made: list[int] = []
    for second in range(0, 4200, 3):
        made += [second] * spend(contoso, 200, verb=verb, at=second, background=False)
    limit = budget.LIMITS[verb]
    assert most_within(made, 60) <= limit.minute
    assert most_within(made, 3600) <= limit.hour
    assert most_within(made, 3600) > 0.95 * limit.hour, "and little of the hour is left unused"


def test_background_work_stays_within_its_share(contoso: Tenant) -> None:
    made: list[int] = []
    for second in range(0, 4200, 3):
        made += [second] * spend(contoso, 200, at=second)
    limit = budget.LIMITS["list"]
    assert most_within(made, 60) <= limit.minute * budget.BACKGROUND_SHARE / 100
    assert most_within(made, 3600) <= limit.hour * budget.BACKGROUND_SHARE / 100


def most_within(made: list[int], seconds: int) -> int:
    """The most calls that any span of so many seconds saw."""
    return max(sum(start <= at < start + seconds for at in made) for start in set(made))


@pytest.mark.parametrize("verb", ["list", "get", "patch"])
def test_the_buckets_fit_into_the_limits(verb: str) -> None:
    limit = budget.LIMITS[verb]
    for bucket, share in ((limit.whole, 100), (limit.background, budget.BACKGROUND_SHARE)):
        assert bucket.most(1) <= limit.minute * share / 100
        assert bucket.most(60) <= limit.hour * share / 100


def test_after_all_background_work_a_person_finds_calls_left(contoso: Tenant) -> None:
    assert spend(contoso, 50) == 15
    assert spend(contoso, 50, background=False) == 10
    assert spend(contoso, 5, at=60) == 5


def test_a_refusal_says_how_long_to_wait(contoso: Tenant) -> None:
    spend(contoso, 50, background=False)
    with as_worker(), pytest.raises(Throttled) as refused:
        budget.debit(tenant_id=contoso.pk, verb="list", now=START + timedelta(seconds=1), background=False)
    assert refused.value.retry_after == pytest.approx(1.5)
    assert refused.value.code == budget.OUR_OWN
    assert spend(contoso, 5, at=2.5, background=False) == 1


def test_tenants_and_kinds_of_calls_do_not_take_from_each_other(contoso: Tenant) -> None:
    fabrikam = connected_tenant("Fabrikam")
    spend(contoso, 50)
    assert spend(fabrikam, 1) == 1
    assert spend(contoso, 1, verb="get") == 1


def test_f35_after_a_429_nobody_calls_until_then(contoso: Tenant) -> None:
    with as_worker():
        budget.block(tenant_id=contoso.pk, verb="list", seconds=90)
        budget.block(tenant_id=contoso.pk, verb="list", seconds=5)
        with pytest.raises(Throttled) as refused:
            budget.debit(tenant_id=contoso.pk, verb="list", background=False)
        budget.debit(tenant_id=contoso.pk, verb="get")
    assert refused.value.retry_after == pytest.approx(90, abs=5), "the longer wish stands"


def test_a_clock_that_was_set_back_does_not_lock_a_tenant_out(contoso: Tenant) -> None:
    spend(contoso, 50, at=7200, background=False)
    assert spend(contoso, 1, at=0) == 1


def test_a_page_shows_what_is_used_of_microsofts_limits(contoso: Tenant) -> None:
    spend(contoso, 7)
    spend(contoso, 2, verb="get")
    with scope.operations():
        lines = budget.left(contoso.pk, now=START + timedelta(seconds=30))
        assert [(line.verb, line.minute_used, line.minute_limit, line.hour_used) for line in lines] == [
            ("list", 7, 50, 7),
            ("get", 2, 100, 2),
        ]
        later = budget.left(contoso.pk, now=START + timedelta(seconds=90))
    assert [(line.minute_used, line.hour_used, line.blocked_until) for line in later] == [(0, 7, None), (0, 2, None)]


def test_workers_at_once_spend_from_one_account(committed: None) -> None:
    tenant = connected_tenant()

    def worker(_: int) -> int:
        done = 0
        for _ in range(20):
            with suppress(Throttled):
                budget.debit(tenant_id=tenant.pk, verb="list", now=START)
                done += 1
        return done

    assert sum(in_threads(worker, 4, role="worker")) == 15
