"""The table of clouds, and who may stand in for Microsoft."""

from uuid import UUID

import pytest

from defender.clouds import CLOUD_NAMES, GRAPH, MDE, XDR, StandIn, find_cloud

TENANT = UUID("a1b2c3d4-0000-4000-8000-00000000c0c0")
SANDBOX = StandIn(*["http://127.0.0.1:8400"] * 4)


def test_the_clouds_differ_in_login_api_and_portal() -> None:
    rows = {name: find_cloud(name) for name in CLOUD_NAMES if name != "sandbox"}
    assert {name: row.authority.removeprefix("https://login.") for name, row in rows.items()} == {
        "global": "microsoftonline.com",
        "gcc": "microsoftonline.com",
        "gcc-high": "microsoftonline.us",
        "dod": "microsoftonline.us",
    }
    assert rows["gcc"].api(XDR) == "https://api-gcc.security.microsoft.us"
    assert rows["dod"].api(MDE) == "https://api-gov.securitycenter.microsoft.us"
    assert rows["dod"].api(GRAPH) == "https://dod-graph.microsoft.us"
    assert rows["dod"].incident_link(7, TENANT) == f"https://security.apps.mil/incidents/7?tid={TENANT}"


def test_the_sandbox_keeps_every_string_of_the_global_cloud() -> None:
    sandbox, real = find_cloud("sandbox", SANDBOX), find_cloud("global")
    same = ("authority", "xdr_api", "mde_api", "graph_api", "portal")
    assert [getattr(sandbox, name) for name in same] == [getattr(real, name) for name in same]
    assert sandbox.browser_login == "http://127.0.0.1:8400"
    assert real.browser_login == real.authority


@pytest.mark.parametrize(("name", "stand_in"), [("sandbox", None), ("mars", None), ("global", SANDBOX), ("", None)])
def test_what_does_not_fit_is_refused_with_a_sentence(name: str, stand_in: StandIn | None) -> None:
    with pytest.raises(ValueError, match=r"^[A-Z].*\.$"):
        find_cloud(name, stand_in)


@pytest.mark.parametrize(
    "url", ["https://sandbox.example/x", "http://localhost:1", "http://127.8.8.8", "http://[::1]:8080/"]
)
def test_a_stand_in_may_be_https_or_on_this_machine(url: str) -> None:
    assert StandIn(url, url, url, url).xdr == url.rstrip("/")


@pytest.mark.parametrize(
    "url",
    [
        "http://sandbox.example",
        "http://localhost.evil.invalid",
        "http://10.0.0.1",
        "http://user@localhost",
        "https://sandbox.example/?x=1",
        "https://sandbox.example:99999",
        "ftp://localhost",
        "localhost:8400",
        "https://",
        "https://a b",
        "",
    ],
)
def test_any_other_stand_in_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="stand-in"):
        StandIn(SANDBOX.login, url, SANDBOX.mde, SANDBOX.graph)
