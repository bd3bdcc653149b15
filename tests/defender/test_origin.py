"""An answer about another tenant's incidents is refused, wherever it is given."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from defender.client import DefenderClient
from defender.errors import WrongToken
from defender.origin import refuse_other_tenant
from defender.transport import Transport
from tests.defender.loopback import answer
from tests.defender.microsoft import CONTOSO, FABRIKAM, Microsoft, client


def linked(number: int, tenant: object, **fields: Any) -> dict[str, Any]:
    uri = f"https://security.microsoft.com/incidents/{number}?tid={tenant}"
    return {"incidentId": number, "incidentUri": uri, **fields}


READS: dict[str, Callable[[DefenderClient], object]] = {
    "pages": lambda api: list(api.incident_pages(since=None)),
    "one": lambda api: api.incident(2),
    "probe": lambda api: api.probe(),
}


@pytest.mark.parametrize("read", READS)
def test_an_answer_with_an_incident_of_another_tenant_is_refused_whole_k6(
    ms: Microsoft, transport: Transport, read: str
) -> None:
    theirs = linked(2, FABRIKAM)
    ms.on_api = lambda asked: answer(theirs if read == "one" else {"value": [linked(1, CONTOSO), theirs]})
    with pytest.raises(WrongToken) as caught:
        READS[read](client(ms, transport))
    assert caught.value.code == "wrong-tenant"


@pytest.mark.parametrize("read", READS)
def test_our_own_tenant_in_any_spelling_and_no_link_at_all_are_read(
    ms: Microsoft, transport: Transport, read: str
) -> None:
    ours = linked(2, str(CONTOSO).upper())
    ms.on_api = lambda asked: answer(ours if read == "one" else {"value": [ours, {"incidentId": 1}]})
    READS[read](client(ms, transport))


@pytest.mark.parametrize("escaped", ["&tid=", "\\u0026tid=", "?tid="])
def test_however_the_link_is_escaped(escaped: str) -> None:
    uri = f"https:\\/\\/security.microsoft.com\\/incidents\\/2{escaped}{FABRIKAM}"
    with pytest.raises(WrongToken):
        refuse_other_tenant(f'{{ "incidentUri" : "{uri}" }}'.encode(), CONTOSO)


def test_what_people_write_into_an_incident_stops_nothing() -> None:
    lure = json.dumps(linked(9, FABRIKAM))
    body = linked(1, CONTOSO, incidentName=lure, tags=[lure, "incidentUri", f"tid={FABRIKAM}"])
    refuse_other_tenant(json.dumps({"value": [body]}).encode(), CONTOSO)
    refuse_other_tenant(json.dumps({"value": [body]}, indent=2).encode(), CONTOSO)
