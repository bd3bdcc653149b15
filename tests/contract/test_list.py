"""GET /api/incidents. Microsoft Learn: List incidents API; order, link and headers are recorded."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from sandbox.moments import ticks_of
from tests.contract.shapes import Json
from tests.sandbox.cloud import XDR, Cloud


def times(items: list[Json]) -> list[int]:
    return [ticks_of(item["lastUpdateTime"]) for item in items]


@pytest.mark.parametrize("name", ["contoso", "fabrikam", "tailspintoys"])
def test_a_page_is_sorted_by_last_update_newest_first(whole: Cloud, name: str) -> None:
    """Recorded: by lastUpdateTime, not by number or creation."""
    found = whole.incidents(name)
    assert times(found) == sorted(times(found), reverse=True)
    assert [item["incidentId"] for item in found] != sorted((item["incidentId"] for item in found), reverse=True)


def test_pages_hold_a_hundred_and_together_everything_once(whole: Cloud) -> None:
    first = whole.api("/api/incidents", "tailspintoys").json()
    found = whole.incidents("tailspintoys")
    assert len(first["value"]) == 100
    assert {one["incidentId"]: one for one in found} == whole.world.truth(whole.world.tenant("tailspintoys"))
    assert len({one["incidentId"] for one in found}) == len(found) > 100


def test_more_incidents_than_a_page_share_one_last_update(whole: Cloud) -> None:
    """Ties over a page's end are what a watermark with "greater than" loses."""
    found = times(whole.incidents("tailspintoys"))
    assert max(found.count(one) for one in set(found)) > 100


@pytest.mark.parametrize("name", ["fabrikam", "proseware", "relecloud"])
def test_in_some_tenants_most_incidents_are_merged_shells(whole: Cloud, name: str) -> None:
    """Recorded: 63 of a page's 100."""
    found = whole.incidents(name)
    assert sum(one["status"] == "Redirected" for one in found) > len(found) / 2


def test_the_link_to_the_next_page_names_the_real_host(whole: Cloud) -> None:
    """Recorded: with a slash before the query, whatever host was called."""
    link = whole.api("/api/incidents", "tailspintoys").json()["@odata.nextLink"]
    assert link == "https://api.security.microsoft.com/api/incidents/?$skip=100"


def test_the_link_keeps_filter_and_page_size(whole: Cloud) -> None:
    query = {"$filter": "status eq 'Active' and lastUpdateTime ge 2020-01-01T00:00:00Z", "$top": "5", "$skip": "5"}
    link = whole.api("/api/incidents", params=query).json()["@odata.nextLink"]
    assert dict(parse_qsl(urlsplit(link).query)) == query | {"$skip": "10"}


def test_the_last_page_has_no_link(whole: Cloud) -> None:
    count = len(whole.incidents())
    assert "@odata.nextLink" not in whole.api(f"/api/incidents?$skip={count - 1}").json()
    assert whole.api(f"/api/incidents?$skip={count}").json()["value"] == []


def test_headers_are_the_recorded_ones(whole: Cloud) -> None:
    answer = whole.api("/api/incidents")
    assert answer.headers["Content-Type"] == (
        "application/json; odata.metadata=minimal; odata.streaming=true; charset=utf-8"
    )
    assert answer.headers["OData-Version"] == "4.0"
    assert answer.headers["Content-Encoding"] == "deflate"
    assert "Date" in answer.headers
    assert answer.json()["@odata.context"] == "https://api.securitycenter.microsoft.com/api/$metadata#Incidents"


@pytest.mark.parametrize("coding", ["deflate", "gzip", "identity"])
def test_a_page_is_the_same_in_every_coding(whole: Cloud, coding: str) -> None:
    answer = whole.api("/api/incidents?$top=20", headers={"Accept-Encoding": coding})
    assert answer.headers.get("Content-Encoding", "identity") == coding
    assert answer.json() == whole.api("/api/incidents?$top=20").json()


@pytest.mark.parametrize("name", ["lastUpdateTime", "createdTime"])
def test_the_times_can_be_compared(whole: Cloud, name: str) -> None:
    """Microsoft Learn: $filter on lastUpdateTime, createdTime, status, assignedTo."""
    all_of_them = whole.incidents()
    middle = sorted(all_of_them, key=lambda one: ticks_of(one[name]))[len(all_of_them) // 2][name]
    for word, keeps in (("ge", 1), ("gt", 0), ("le", 1), ("lt", 0), ("eq", 1)):
        found = whole.incidents(query=f"?$filter={name} {word} {middle}")
        assert any(one[name] == middle for one in found) == bool(keeps)
    newer = whole.incidents(query=f"?$filter={name} gt {middle}")
    assert {one["incidentId"] for one in newer} == {
        one["incidentId"] for one in all_of_them if ticks_of(one[name]) > ticks_of(middle)
    }


def test_status_and_assignee_can_be_asked_for(whole: Cloud) -> None:
    everything = whole.incidents()
    someone = next(one["assignedTo"] for one in everything if one["assignedTo"])
    for name, value in (("status", "Active"), ("assignedTo", someone)):
        found = whole.incidents(query=f"?$filter={name} eq '{value}'")
        assert [one["incidentId"] for one in found] == [o["incidentId"] for o in everything if o[name] == value]


@pytest.mark.parametrize(
    "query",
    [
        "$top=101",
        "$top=-1",
        "$top=many",
        "$skip=-1",
        "$filter=severity eq 'High'",
        "$filter=lastUpdateTime ge yesterday",
        "$filter=status eq Active",
        "$filter=nonsense",
        "$orderby=createdTime",
        "$select=incidentId",
        "$expand=alerts",
        "$count=true",
        "$top=1&$top=2",
    ],
)
def test_what_is_not_documented_is_turned_down(whole: Cloud, query: str) -> None:
    """Microsoft Learn: pages of at most 100; severity cannot be filtered."""
    answer = whole.api(f"/api/incidents?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "ODataError"
    assert answer.json()["error"].keys() == {"code", "message", "target"}


def test_the_path_with_a_slash_is_the_same(whole: Cloud) -> None:
    assert whole.api("/api/incidents/?$top=1").json() == whole.api("/api/incidents?$top=1").json()


def test_the_context_of_a_page_and_its_incidents_are_all_it_has(whole: Cloud) -> None:
    assert whole.api("/api/incidents?$top=1").json().keys() == {"@odata.context", "value", "@odata.nextLink"}
    assert whole.api("/api/incidents?$top=1").json()["@odata.nextLink"].startswith(XDR)
