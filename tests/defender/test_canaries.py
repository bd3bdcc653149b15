"""K1, K2: what must never be seen is planted everywhere, and then looked for in every place that people look at."""

import gc
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from defender.auth import AccessToken, Credential, Federated, load_credential
from defender.errors import DefenderError
from defender.transport import Transport
from tests.defender.certificates import self_signed
from tests.defender.loopback import Answer, Asked, answer
from tests.defender.microsoft import CONTOSO, SECRET, Microsoft, client, token_source

OPAQUE = "canary-opaque-token-51f0"
Bend = Callable[[Asked], Answer | None]


def echo(asked: Asked) -> Answer:
    """A service that repeats all it was told, as an error."""
    token = asked.headers.get("authorization", "").removeprefix("Bearer ")
    told = f"{token} {asked.body.decode()} {dict(asked.headers)}"
    return answer({"error": {"code": "InvalidInput", "message": told, "target": told}}, 400)


def oauth_echo(asked: Asked) -> Answer:
    told = asked.body.decode()
    return answer({"error": told, "error_description": f"AADSTS1: {told}", "trace_id": told, "error_uri": told}, 400)


def cut(asked: Asked) -> Answer:
    return answer(b'{"token_type":"Bearer","access_token":"%s' % OPAQUE.encode())


def page_echo(status: int) -> Bend:
    return lambda asked: Answer(status, echo(asked).body, {"Content-Type": "text/html"})


def opaque(asked: Asked) -> Answer:
    return answer({"token_type": "Bearer", "expires_in": 3600, "access_token": OPAQUE})


def everything_said(error: BaseException) -> str:
    """What a log, a screen, a table or an error report could show of an exception and of all it is chained to."""
    seen, waiting, said = set(), [error], []
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        said += [str(one), repr(one), repr(one.args), repr(vars(one)), *traceback.format_exception(one)]
        waiting += [other for other in (one.__cause__, one.__context__) if other is not None]
    return "\n".join(said)


@pytest.mark.parametrize(
    ("on_token", "on_api"),
    [
        (oauth_echo, None),
        (cut, None),
        (page_echo(200), None),
        (page_echo(500), None),
        (opaque, echo),
        (opaque, page_echo(200)),
        (opaque, page_echo(403)),
        (opaque, page_echo(500)),
        (opaque, lambda asked: Answer(raw=b"")),
        (opaque, lambda asked: Answer(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n" + OPAQUE[:3].encode())),
    ],
)
def test_no_secret_and_no_token_is_ever_said(
    ms: Microsoft,
    transport: Transport,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    on_token: Bend,
    on_api: Bend | None,
) -> None:
    listen_to_everything(caplog)
    ms.on_token = on_token
    ms.on_api = on_api or ms.on_api
    with pytest.raises(DefenderError) as caught:
        client(ms, transport).probe()
    logged = [*caplog.messages, *(repr(record.args) for record in caplog.records), caplog.text, *capsys.readouterr()]
    said = "\n".join([everything_said(caught.value), *logged])
    for canary in (SECRET, OPAQUE):
        assert canary not in said
        assert canary.encode().hex() not in said


def listen_to_everything(caplog: pytest.LogCaptureFixture) -> None:
    """All levels, also of the loggers that the portal's own configuration quiets."""
    for name in ("", "urllib3", "msal", "requests"):
        caplog.set_level(logging.DEBUG, logger=name or None)


def test_a_good_round_is_as_quiet(ms: Microsoft, transport: Transport, caplog: pytest.LogCaptureFixture) -> None:
    listen_to_everything(caplog)
    client(ms, transport).probe()
    assert ms.tokens_issued
    assert caplog.text
    assert SECRET not in caplog.text
    assert ms.tokens_issued[0] not in caplog.text
    assert ms.tokens_issued[0].rpartition(".")[2] not in caplog.text


def test_the_scanner_would_find_what_it_looks_for() -> None:
    try:
        raise ValueError("inner " + SECRET)
    except ValueError as error:
        outer = RuntimeError("outer")
        outer.__cause__ = error
    assert SECRET in everything_said(outer)


def credentials(tmp_path: Path) -> list[tuple[Credential, str]]:
    key, certificate = self_signed()
    (tmp_path / "app.pem").write_text(key + certificate)
    (tmp_path / "token").write_text(f"aaa.bbb.{OPAQUE}")
    return [
        (load_credential(secret=SECRET), SECRET),
        (load_credential(certificate=tmp_path / "app.pem"), key.splitlines()[5]),
        (load_credential(federated_token=tmp_path / "token"), OPAQUE),
        (Federated(lambda: OPAQUE), OPAQUE),
    ]


def test_no_object_of_ours_shows_what_it_holds(ms: Microsoft, transport: Transport, tmp_path: Path) -> None:
    for credential, canary in credentials(tmp_path):
        tokens = token_source(ms, transport, credential)
        token = tokens.token(CONTOSO)
        assert isinstance(token, AccessToken)
        for thing in (credential, tokens, token, token.facts, transport, vars(tokens)):
            assert canary not in repr(thing) + str(thing)
            assert token.value not in repr(thing) + str(thing)
    gc.collect()
