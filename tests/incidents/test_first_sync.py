"""A first sync over 180 days takes a while: it says how far it has come, and the tenant page shows it."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from sandbox.world import World
from tenants import scope
from tenants.freshness import Freshness, freshness_of
from tenants.models import SyncRun, Tenant
from tests.cast import make_person
from tests.incidents.synced import cloud, ours, state_of, sync

pytestmark = [pytest.mark.django_db, pytest.mark.short]
Ended = SyncRun.Ended


def test_a_first_sync_tells_how_far_back_it_has_come(settings: Any, client: Client) -> None:
    settings.SYNC_PASS_LIMIT = timedelta(0)
    with cloud(World(seed=3, tenants=["Contoso"], incidents=(450, 450), quotas=False), settings) as world:
        theirs = world.tenant("Contoso")
        contoso = ours(theirs)
        told = []
        for last in (199, 389):
            assert sync(contoso).ended == Ended.STOPPED
            state = state_of(contoso)
            assert state.progress_reached == theirs.book.newest_first()[last].raw["lastUpdateTime"]
            told.append(freshness(contoso))
            assert told[-1].sentence.startswith(f"First sync: {state.progress_seen} incidents so far, back to")
    assert 0 < (told[0].percent or 0) < (told[1].percent or 0) < 100
    client.force_login(make_person("dora", is_staff=True))
    page = client.get(reverse("tenants:tenant", args=[contoso.slug])).content.decode()
    assert f'<progress id="first-sync" value="{told[1].percent}" max="100">' in page
    assert told[1].sentence in page


def freshness(tenant: Tenant) -> Freshness:
    with scope.operations():
        return freshness_of(Tenant.objects.select_related("sync_state").get(pk=tenant.pk), timezone.now())
