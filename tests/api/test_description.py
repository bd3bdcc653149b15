"""The OpenAPI document is one, describes every address and method there is, and tells the truth about the answers."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from api.models import Verb
from api.openapi import addresses, document
from incidents.models import IncidentRaw, IncidentTag
from tenants import scope
from tests.api.conftest import Program
from tests.cast import Cast, make_alert, make_evidence, make_incident

DOCUMENT = document()
JSON, PROBLEM = "application/json", "application/problem+json"


def described(method: str, path: str, status: int, media: str) -> Draft202012Validator:
    """What the document says of an answer."""
    answer = DOCUMENT["paths"][path][method.lower()]["responses"][str(status)]["content"][media]["schema"]
    whole = Resource.from_contents(DOCUMENT, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:document", whole)
    absolute = json.loads(json.dumps(answer).replace('"#/', '"urn:document#/'))
    return Draft202012Validator(absolute, registry=registry)


def assert_as_described(answer: Any, method: str, path: str) -> Any:
    media = answer.headers["Content-Type"]
    said = answer.json()
    described(method, path, answer.status_code, media).validate(said)
    return said


def test_the_document_is_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


def operations() -> Iterator[tuple[str, str]]:
    for path, known in addresses():
        yield from ((path, method) for method in known)


def test_every_address_and_method_is_described_and_nothing_else() -> None:
    said = {(path, method.upper()) for path, methods in DOCUMENT["paths"].items() for method in methods}
    there = {
        ("/" + path.replace("<slug:", "{").replace("<int:", "{").replace(">", "}"), method)
        for path, method in operations()
    }
    assert said == there
    ids = [one["operationId"] for methods in DOCUMENT["paths"].values() for one in methods.values()]
    assert len(ids) == len(set(ids))


def test_what_is_not_described_is_refused(cast: Cast, program: Callable[..., Program]) -> None:
    alice = program(cast.alice)
    for path, methods in DOCUMENT["paths"].items():
        address = "/api/v1" + path.format(tenant="contoso", number=7, key="k")
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} - {m.upper() for m in methods}:
            answer = alice.generic(method, address)
            assert answer.status_code == 405, (method, path)
            assert set(answer.headers["Allow"].split(", ")) == {m.upper() for m in methods}


def test_the_document_itself_is_given_to_whoever_holds_a_token(cast: Cast, program: Callable[..., Program]) -> None:
    assert Client().get("/api/v1/openapi.json").status_code == 401
    assert program(cast.bob, Verb.READ_HEALTH).get("/api/v1/openapi.json").json() == json.loads(json.dumps(DOCUMENT))


@pytest.fixture
def filled(cast: Cast) -> Cast:
    incident = make_incident(cast.contoso, 7, "Ransomware", assigned_to="x@contoso.example")
    make_evidence(make_alert(incident, "a-1", techniques=["T1078"]), "ip", "203.0.113.7", port=1)
    with scope.tenant(cast.contoso.pk):
        IncidentTag.objects.create(tenant=cast.contoso, incident=incident, tag="vip")
        IncidentRaw.objects.create(tenant=cast.contoso, incident=incident, body=b'{"incidentId": 7}')
    return cast


def test_answers_are_as_described(filled: Cast, program: Callable[..., Program]) -> None:
    alice = program(filled.alice)
    assert_as_described(alice.get("/api/v1/incidents/"), "GET", "/incidents/")
    one = "/incidents/{tenant}/{number}/"
    full = assert_as_described(alice.get("/api/v1/incidents/contoso/7/?include=raw"), "GET", one)
    assert full["alerts"][0]["evidence"][0]["data"] == {"port": 1}
    assert_as_described(alice.get("/api/v1/tenants/"), "GET", "/tenants/")
    exported = alice.get("/api/v1/incidents/export/?format=csv")
    media = DOCUMENT["paths"]["/incidents/export/"]["get"]["responses"]["200"]["content"]
    assert exported.headers["Content-Type"].split(";")[0] in media


def test_decisions_are_as_described(filled: Cast, program: Callable[..., Program]) -> None:
    alice = program(filled.alice)
    body = {
        "incidents": [{"tenant": "contoso", "number": 7}, {"tenant": "northwind", "number": 7}],
        "decision": {"status": "in-progress", "comment": "Looking."},
    }
    made = alice.post("/api/v1/decisions/", body, content_type=JSON, headers={"Idempotency-Key": "k-1"})
    assert made.status_code == 202, made.content
    assert_as_described(made, "POST", "/decisions/")
    progress = assert_as_described(alice.get("/api/v1/decisions/k-1/"), "GET", "/decisions/{key}/")
    assert progress["changes"] or progress["refused"]
    cancel = alice.post("/api/v1/decisions/k-1/cancel/")
    assert_as_described(cancel, "POST", "/decisions/{key}/cancel/")


def test_problems_are_as_described(filled: Cast, program: Callable[..., Program]) -> None:
    alice, reader = program(filled.alice), program(filled.bob, Verb.READ_HEALTH)
    seen = set()
    for answer, method, path in (
        (Client().get("/api/v1/incidents/"), "GET", "/incidents/"),
        (reader.get("/api/v1/incidents/"), "GET", "/incidents/"),
        (alice.get("/api/v1/incidents/?limit=many"), "GET", "/incidents/"),
        (alice.get("/api/v1/incidents/?limmit=1"), "GET", "/incidents/"),
        (alice.get("/api/v1/incidents/?tenant=northwind"), "GET", "/incidents/"),
        (alice.get("/api/v1/incidents/northwind/7/"), "GET", "/incidents/{tenant}/{number}/"),
        (alice.post("/api/v1/decisions/", "{}", content_type="text/plain"), "POST", "/decisions/"),
        (alice.post("/api/v1/decisions/", "{}", content_type=JSON), "POST", "/decisions/"),
        (alice.post("/api/v1/decisions/", " " * 600_000, content_type=JSON), "POST", "/decisions/"),
    ):
        assert answer.headers["Content-Type"] == PROBLEM, answer.content
        said = assert_as_described(answer, method, path)
        assert (said["status"], said["type"]) == (answer.status_code, "about:blank")
        assert said["detail"].endswith(".")
        seen.add(answer.status_code)
    assert seen == {400, 401, 403, 404, 413, 415}
