"""The one way out: time, size, certificates and the list of hosts, each against a real socket."""

import datetime as dt
import gzip
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender.answers import LONGEST_WAIT, SHORTEST_WAIT, retry_after
from defender.clouds import XDR, Cloud, StandIn, find_cloud
from defender.errors import DefenderError, Transient
from defender.transport import Transport
from tests.defender.certificates import self_signed
from tests.defender.loopback import Answer, Loopback, answer, serving

API = "https://api.security.microsoft.com/api/incidents"
OK = b'{"value":[]}'


def cloud_at(url: str) -> Cloud:
    return find_cloud("sandbox", StandIn(login=url, xdr=url, mde=url, graph=url))


@pytest.fixture
def server() -> Iterator[Loopback]:
    with serving(lambda asked: answer(OK)) as loopback:
        yield loopback


def get(
    server: Loopback, *, deadline: float = 5, timeout: tuple[float, float] = (1, 2), max_bytes: int = 10**6
) -> bytes:
    transport = Transport(cloud_at(server.url), timeout=timeout, deadline=deadline, max_bytes=max_bytes)
    try:
        return transport.call("GET", API, resource=XDR, bearer="t0ken").body
    finally:
        transport.close()


# -- who may be called -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.invalid/api/incidents",
        "http://api.security.microsoft.com/api/incidents",
        "https://api.security.microsoft.com.evil.invalid/",
        "https://api.security.microsoft.com@evil.invalid/",
        "https://api.security.microsoft.com:444/",
        "https://api.security.microsoft.com\\@evil.invalid/",
        "https://api.security.microsoft.com/ \r\nX: y",
        "https://login.microsoftonline.com/x",
        "https://graph.microsoft.com/v1.0/users",
        "https://api.security.microsoft.com",
        "file:///etc/passwd",
        "",
    ],
)
def test_any_other_host_is_refused_before_a_socket_is_opened(server: Loopback, url: str) -> None:
    transport = Transport(cloud_at(server.url))
    with pytest.raises(DefenderError) as caught:
        transport.call("GET", url, resource=XDR, bearer="t0ken")
    assert caught.value.code == "host-not-allowed"
    assert server.connections == 0


def test_a_token_never_goes_to_the_sign_in_host(server: Loopback) -> None:
    with pytest.raises(DefenderError) as caught:
        Transport(cloud_at(server.url)).call("GET", "https://login.microsoftonline.com/x/y", bearer="t0ken")
    assert caught.value.code == "host-not-allowed"
    assert server.connections == 0


def test_each_microsoft_name_leads_to_its_own_stand_in() -> None:
    with serving(lambda asked: answer({})) as login, serving(lambda asked: answer({})) as xdr:
        stand_in = StandIn(login=login.url + "/entra", xdr=xdr.url + "/xdr/", mde=xdr.url, graph=xdr.url)
        transport = Transport(find_cloud("sandbox", stand_in))
        transport.call("GET", "https://login.microsoftonline.com/t/v2.0")
        transport.call("GET", API, resource=XDR, bearer="t")
        assert [asked.path for asked in login.asked] == ["/entra/t/v2.0"]
        assert [asked.path for asked in xdr.asked] == ["/xdr/api/incidents"]
        assert "authorization" not in login.asked[0].headers


@pytest.mark.parametrize("token", ["a\r\nX-Evil: 1", "a b", "ä", ""])
def test_a_token_that_would_break_a_header_is_not_sent(server: Loopback, token: str) -> None:
    with pytest.raises(Transient):
        Transport(cloud_at(server.url)).call("GET", API, resource=XDR, bearer=token)
    assert server.connections == 0


def test_every_call_carries_a_new_request_id(server: Loopback) -> None:
    transport = Transport(cloud_at(server.url))
    replies = [transport.call("GET", API, resource=XDR, bearer="t") for _ in range(2)]
    sent = [asked.headers["client-request-id"] for asked in server.asked]
    assert sent == [reply.request_id for reply in replies]
    assert len(set(sent)) == 2


def test_the_environment_changes_nothing(server: Loopback, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login thief password thief\ndefault login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "")
    assert get(server) == OK
    assert server.asked[0].headers["authorization"] == "Bearer t0ken"


def test_no_cookie_is_ever_sent_back(server: Loopback) -> None:
    server.script = lambda asked: answer(OK, Set_Cookie="tenant=contoso; Path=/")
    transport = Transport(cloud_at(server.url))
    for _ in range(2):
        transport.call("GET", API, resource=XDR, bearer="t")
    assert all("cookie" not in asked.headers for asked in server.asked)


# -- SYNC-F4, F35: time ------------------------------------------------------------------------------------------------


def test_f40_sync_f4_a_silent_server_is_left_after_the_read_time_out(server: Loopback) -> None:
    server.queue.append(Answer(hang=server.closing))
    began = time.monotonic()
    with pytest.raises(Transient) as caught:
        get(server, timeout=(1, 0.2))
    assert caught.value.code == "read-timeout"
    assert time.monotonic() - began < 3
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "drip",
    [
        b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 50,
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n" + b" " * 999,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 100,
    ],
    ids=["headers", "body", "chunks"],
)
def test_sync_f35_a_dripping_server_is_left_at_the_deadline(server: Loopback, drip: bytes) -> None:
    server.queue.append(Answer(drip=drip))
    began = time.monotonic()
    with pytest.raises(Transient) as caught:
        get(server, deadline=0.6)
    assert caught.value.code == "deadline"
    assert time.monotonic() - began < 3


def test_sync_f4_nobody_listening_is_transient(server: Loopback) -> None:
    url = server.url
    server.stop()
    transport = Transport(cloud_at(url), timeout=(0.5, 0.5), deadline=3)
    with pytest.raises(Transient) as caught:
        transport.call("GET", API, resource=XDR, bearer="t")
    assert caught.value.code == "connection"


def test_a_dead_kept_alive_connection_is_not_noticed_by_the_caller(server: Loopback) -> None:
    transport = Transport(cloud_at(server.url))
    transport.call("GET", API, resource=XDR, bearer="t")
    server.queue.append(Answer(raw=b""))
    assert transport.call("GET", API, resource=XDR, bearer="t").body == OK


def test_a_change_is_not_repeated_when_its_answer_is_lost(server: Loopback) -> None:
    server.queue.append(Answer(raw=b""))
    with pytest.raises(Transient):
        Transport(cloud_at(server.url)).call("PATCH", API + "/1", resource=XDR, bearer="t", body=b"{}")
    assert len(server.asked) == 1


# -- SYNC-F6, M6: size and truncation ----------------------------------------------------------------------------------


def compressed(body: bytes, how: str) -> Answer:
    packed = {
        "gzip": lambda: gzip.compress(body),
        "deflate": lambda: zlib.compress(body),
        "raw deflate": lambda: (lambda packer: packer.compress(body) + packer.flush())(zlib.compressobj(wbits=-15)),
    }[how]()
    return answer(packed, Content_Encoding=how.removeprefix("raw "))


@pytest.mark.parametrize("how", ["gzip", "deflate", "raw deflate"])
def test_a_compressed_answer_is_read(server: Loopback, how: str) -> None:
    server.queue.append(compressed(OK * 1000, how))
    assert get(server) == OK * 1000


def test_m6_a_decompression_bomb_is_stopped_at_the_cap(server: Loopback) -> None:
    server.queue.append(compressed(b" " * 50_000_000, "gzip"))
    with pytest.raises(Transient) as caught:
        get(server, max_bytes=1_000_000)
    assert caught.value.code == "too-large"


def test_a_body_of_exactly_the_cap_is_taken(server: Loopback) -> None:
    server.script = lambda asked: answer(b" " * 1000)
    assert len(get(server, max_bytes=1000)) == 1000
    with pytest.raises(Transient):
        get(server, max_bytes=999)


def test_sync_f6_bytes_that_are_not_gzip_are_transient(server: Loopback) -> None:
    server.queue.append(answer(b"not gzip at all", Content_Encoding="gzip"))
    with pytest.raises(Transient) as caught:
        get(server)
    assert caught.value.code == "encoding"


# -- SYNC-F5: certificates ---------------------------------------------------------------------------------------------


def test_sync_f5_a_certificate_nobody_vouches_for_is_refused_even_if_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CURL_CA_BUNDLE", "")
    key, certificate = self_signed("localhost")
    pem = tmp_path / "server.pem"
    pem.write_text(key + certificate)
    with serving(lambda asked: answer(OK)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.wrap(context)
        url = server.url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(Transient) as caught:
            Transport(cloud_at(url), timeout=(1, 2)).call("GET", API, resource=XDR, bearer="t")
        assert (caught.value.code, caught.value.who) == ("tls", "us")
        assert server.asked == []
        trusting = Transport(cloud_at(url), timeout=(1, 2), ca_bundle=str(pem))
        assert trusting.call("GET", API, resource=XDR, bearer="t").body == OK


@pytest.mark.parametrize(
    ("host", "valid_from", "valid_to"),
    [("localhost", -30, -1), ("localhost", 1, 30), ("127.0.0.1", -1, 30)],
    ids=["expired", "not yet valid", "of another host"],
)
def test_sync_f5_a_wrong_certificate_is_refused_although_its_maker_is_trusted(
    tmp_path: Path, host: str, valid_from: int, valid_to: int
) -> None:
    first, last = dt.timedelta(days=valid_from), dt.timedelta(days=valid_to)
    pem = tmp_path / "server.pem"
    pem.write_text("".join(self_signed("localhost", first=first, last=last)))
    with serving(lambda asked: answer(OK)) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        server.wrap(context)
        url = server.url.replace("http://127.0.0.1", f"https://{host}")
        transport = Transport(cloud_at(url), timeout=(1, 2), ca_bundle=str(pem))
        with pytest.raises(Transient) as caught:
            transport.call("GET", API, resource=XDR, bearer="t")
        transport.close()
        assert (caught.value.code, caught.value.who) == ("tls", "us")
        assert server.asked == [], "neither token nor request went out"


# -- SYNC-F1, F2: how long to wait -------------------------------------------------------------------------------------

NOW = dt.datetime(2026, 11, 22, 10, 0, 0, tzinfo=dt.UTC)
QUOTA = "API calls quota exceeded! Maximum allowed 30 per 00:01:00. You can send requests again in 8 seconds."


@pytest.mark.parametrize(
    ("header", "message", "expected"),
    [
        ("17", "", 17.0),
        (" 17 ", QUOTA, 17.0),
        ("17.9", "", 17.0),
        ("0", "", SHORTEST_WAIT),
        ("1000000000", "", LONGEST_WAIT),
        ("9" * 15, "", LONGEST_WAIT),
        ("Sun, 22 Nov 2026 10:00:30 GMT", "", 30.0),
        ("Sun, 22 Nov 2026 09:00:00 GMT", "", SHORTEST_WAIT),
        ("Sun, 22 Nov 2099 09:00:00 GMT", "", LONGEST_WAIT),
        ("-5", QUOTA, 8.0),
        ("soon", QUOTA, 8.0),
        ("", QUOTA, 8.0),
        ("", "Try again in 2 minutes.", 120.0),
        ("", "no idea", None),
        ("-5", "", None),
        ("NaN", "", None),
        ("١٧", "", None),
    ],
)
def test_f39_sync_f2_the_wait_is_read_from_header_date_or_text(
    header: str, message: str, expected: float | None
) -> None:
    assert retry_after({"retry-after": header} if header else {}, message, now=NOW) == expected


@settings(max_examples=400, derandomize=True, deadline=None)
@given(st.text(max_size=60), st.text(max_size=80))
def test_sync_f2_no_hint_whatever_makes_a_wait_outside_its_bounds(header: str, message: str) -> None:
    seconds = retry_after({"retry-after": header}, message, now=NOW)
    assert seconds is None or SHORTEST_WAIT <= seconds <= LONGEST_WAIT


# -- many at once ------------------------------------------------------------------------------------------------------


def test_sixty_four_threads_share_one_transport(server: Loopback) -> None:
    server.script = lambda asked: answer({"you": asked.headers["authorization"]})
    transport = Transport(cloud_at(server.url), timeout=(5, 10), deadline=30)
    start = threading.Barrier(64)

    def work(number: int) -> bool:
        start.wait(20)
        return all(
            transport.call("GET", API, resource=XDR, bearer=f"t-{number}").body == b'{"you": "Bearer t-%d"}' % number
            for _ in range(4)
        )

    with ThreadPoolExecutor(64) as pool:
        assert all(pool.map(work, range(64)))
    assert server.connections <= 128
