"""Every fault does what it says, where it says, as often as it says, and leaves the world sound."""

import time
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from sandbox.faults import KINDS, Faults
from sandbox.poison import WAYS
from tests.sandbox.visits.visitor import XDR, Visitor


def switch(visitor: Visitor, kind: str, tenant: str | None = "contoso", **settings: Any) -> None:
    visitor.world.faults.add(visitor.path_of(tenant) if tenant else None, {"kind": kind, **settings})


def listed(visitor: Visitor, tenant: str = "contoso") -> requests.Response:
    return visitor.api("/api/incidents", tenant)


def test_a_fault_strikes_its_tenant_only(visitor: Visitor) -> None:
    switch(visitor, "status", status=503)
    assert (listed(visitor).status_code, listed(visitor, "fabrikam").status_code) == (503, 200)


def test_a_fault_without_a_tenant_strikes_all(visitor: Visitor) -> None:
    switch(visitor, "status", tenant=None, status=500)
    assert (listed(visitor).status_code, listed(visitor, "fabrikam").status_code) == (500, 500)


def test_a_fault_ends_after_its_count_or_when_cleared(visitor: Visitor) -> None:
    switch(visitor, "status", count=2)
    assert [listed(visitor).status_code for _ in range(3)] == [503, 503, 200]
    switch(visitor, "status")
    visitor.world.faults.clear()
    assert listed(visitor).status_code == 200


def test_a_fault_can_be_kept_to_one_operation(visitor: Visitor) -> None:
    number = visitor.world.new_incident(visitor.world.tenant("contoso"))["incidentId"]
    switch(visitor, "status", on=["patch"])
    assert listed(visitor).status_code == 200
    assert visitor.patch(number, {"comment": "x"}).status_code == 503


def test_chance_is_repeatable() -> None:
    def drawn(seed: int) -> list[int]:
        faults = Faults(seed)
        faults.add(None, {"kind": "status", "probability": 0.3})
        return [len(faults.draw("t", "list")) for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert 30 < sum(drawn(1)) < 90


@pytest.mark.parametrize("wrong", [{"kind": "fire"}, {}, {"kind": "status", "on": ["nowhere"]}])
def test_a_fault_that_nobody_knows_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="there are"):
        Faults(1).add(None, wrong)


def test_throttling_comes_with_and_without_a_header(visitor: Visitor) -> None:
    switch(visitor, "throttle", count=1, seconds=9)
    answer = listed(visitor)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "9")
    switch(visitor, "throttle", count=1, header=False, seconds=9)
    answer = listed(visitor)
    assert "Retry-After" not in answer.headers and "in 9 seconds" in answer.json()["error"]["message"]
    switch(visitor, "throttle", count=1, header="soon")
    assert listed(visitor).headers["Retry-After"] == "soon"


def test_html_empty_bodies_and_errors_in_a_good_answer(visitor: Visitor) -> None:
    switch(visitor, "html", count=1)
    answer = listed(visitor)
    assert answer.status_code == 200 and answer.headers["Content-Type"].startswith("text/html")
    switch(visitor, "empty", count=1)
    assert (listed(visitor).status_code, listed(visitor).status_code) == (200, 200)
    switch(visitor, "error_object", count=1)
    answer = listed(visitor)
    assert answer.status_code == 200 and "error" in answer.json()


def test_an_answer_that_is_cut_breaks_off_before_its_promised_end(visitor: Visitor) -> None:
    switch(visitor, "cut", count=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        listed(visitor)
    assert listed(visitor).status_code == 200


def test_a_change_whose_answer_is_cut_was_made_all_the_same(visitor: Visitor) -> None:
    tenant = visitor.world.tenant("contoso")
    number = visitor.world.new_incident(tenant)["incidentId"]
    switch(visitor, "cut", on=["patch"])
    with pytest.raises(requests.exceptions.RequestException):
        visitor.patch(number, {"comment": "once"})
    assert [one["comment"] for one in visitor.world.truth(tenant)[number]["comments"]] == ["once"]


def test_slow_and_dripping_answers_take_their_time_and_arrive_whole(visitor: Visitor) -> None:
    whole = listed(visitor).json()
    for kind in ("slow", "drip"):
        switch(visitor, kind, count=1, seconds=0.4, pieces=4)
        began = time.monotonic()
        assert listed(visitor).json() == whole
        assert time.monotonic() - began >= 0.4, kind


def test_items_drift_while_somebody_pages(visitor: Visitor) -> None:
    truth = visitor.world.truth(visitor.world.tenant("contoso"))
    switch(visitor, "drift", changes=6)
    found = [raw["incidentId"] for raw in visitor.everything(**{"$top": "10"})]
    assert len(found) != len(set(found)) or set(found) != set(truth)


def test_a_loop_leads_to_the_same_page_for_ever(visitor: Visitor) -> None:
    switch(visitor, "loop")
    first = listed(visitor).json()
    again = visitor.api(first["@odata.nextLink"].removeprefix(XDR)).json()
    assert again["value"] == first["value"]
    assert again["@odata.nextLink"] == first["@odata.nextLink"]


def test_late_changes_show_when_the_clock_has_moved_on(visitor: Visitor) -> None:
    tenant = visitor.world.tenant("contoso")
    switch(visitor, "late", seconds=60)
    visitor.world.advance(seconds=61)
    number = visitor.world.new_incident(tenant)["incidentId"]
    assert number not in {raw["incidentId"] for raw in visitor.everything()}
    visitor.world.advance(seconds=61)
    assert number in {raw["incidentId"] for raw in visitor.everything()}


@pytest.mark.parametrize("way", sorted(WAYS))
def test_poison_spoils_one_incident_of_a_page_and_not_the_world(visitor: Visitor, way: str) -> None:
    plain = visitor.api("/api/incidents", headers={"Accept-Encoding": "identity"}).content
    switch(visitor, "poison", count=1, way=way)
    spoiled = visitor.api("/api/incidents", headers={"Accept-Encoding": "identity"}).content
    assert spoiled != plain
    versions = visitor.world.tenant("contoso").book.newest_first()[:100]
    assert sum(version.body in spoiled for version in versions) in (len(versions) - 1, len(versions))
    assert visitor.api("/api/incidents", headers={"Accept-Encoding": "identity"}).content == plain


def test_a_token_of_another_tenant_names_that_tenant(visitor: Visitor) -> None:
    switch(visitor, "wrong_tenant_token")
    claims = jwt.decode(visitor.token(), options={"verify_signature": False})
    assert claims["tid"] != visitor.path_of("contoso")


def test_tokens_without_roles_and_tokens_nobody_can_read(visitor: Visitor) -> None:
    switch(visitor, "token_without_roles", count=1)
    assert listed(visitor).status_code == 403
    switch(visitor, "opaque_token", tenant="fabrikam")
    with pytest.raises(jwt.DecodeError):
        jwt.decode(visitor.token("fabrikam"), options={"verify_signature": False})
    assert listed(visitor, "fabrikam").status_code == 200


def test_an_expired_secret_and_a_silent_discovery_are_ours_to_bear(visitor: Visitor) -> None:
    switch(visitor, "secret_expired", tenant=None)
    assert visitor.ask().json()["error_codes"] == [7000222]
    switch(visitor, "discovery_down", tenant=None)
    assert visitor.get("/contoso.example/v2.0/.well-known/openid-configuration").status_code == 503


def test_the_token_endpoint_can_be_throttled_too(visitor: Visitor) -> None:
    switch(visitor, "throttle", on=["token"], seconds=3)
    answer = visitor.ask()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "3")


def test_every_kind_of_fault_is_tried_here() -> None:
    here = Path(__file__)
    text = "".join(path.read_text(encoding="utf-8") for path in (here, here.with_name("test_people_sign_in.py")))
    assert [kind for kind in KINDS if f'"{kind}"' not in text] == []
