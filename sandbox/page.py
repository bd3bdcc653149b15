"""HTML of the sandbox's own pages: plain, escaped, without scripts, light and dark."""

from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse

SHELL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title} · Sandbox cloud</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="/_sandbox/static/sandbox.css"></head>
<body><header><a href="/_sandbox/">Sandbox cloud</a> <span>stands in for Microsoft; everything here is made up</span>
</header><main>{body}</main></body></html>"""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Cache-Control": "no-store",
    # A consent link carries the portal's state; "no-referrer" would hide a form's origin from us as well.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def html(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page; ``body`` is markup whose texts the caller has escaped."""
    return HTMLResponse(SHELL.format(title=text(title), body=body), status, headers=HEADERS)


def problem(title: str, sentence: str, status: int) -> HTMLResponse:
    """A page that says what went wrong."""
    body = f'<div class="card"><h1>Sorry, that did not work</h1><p role="alert">{text(sentence)}</p></div>'
    return html(title, body, status)


def text(value: object) -> str:
    """Escaped for markup; half a surrogate pair, which no page can carry, becomes a question mark."""
    return escape(str(value).encode("utf-8", "replace").decode())


def hidden(fields: Iterable[tuple[str, str]]) -> str:
    """Hidden inputs."""
    return "".join(f'<input type="hidden" name="{text(name)}" value="{text(value)}">' for name, value in fields)


def button(words: str, action: str, fields: Iterable[tuple[str, str]] = (), *, about: str = "", kind: str = "") -> str:
    """A form of one button; ``about`` says to screen readers what it is about, where the eye sees it in the row."""
    look = f' class="{kind}"' if kind else ""
    more = f' <span class="heard">{text(about)}</span>' if about else ""
    form = f'<form method="post" action="{text(action)}">{hidden(fields)}'
    return f"{form}<button{look}>{text(words)}{more}</button></form>"


def select(name: str, options: Iterable[tuple[str, str]], *, label: str, heard_only: bool = False) -> str:
    """A labelled choice of (value, words); the first is chosen."""
    look = ' class="heard"' if heard_only else ""
    made = "".join(f'<option value="{text(value)}">{text(words)}</option>' for value, words in options)
    return f'<label><span{look}>{text(label)}</span> <select name="{text(name)}">{made}</select></label>'


def is_own_post(request: Request) -> bool:
    """Whether a POST comes from our own page or from a program, not from a page of another site.

    Browsers name the page's origin; a name that leads to loopback by a trick of DNS is not one of ours.
    """
    try:
        host = urlsplit(f"//{request.headers.get('host', '')}")
    except ValueError:
        return False
    if host.hostname not in ("localhost", "127.0.0.1", "::1"):
        return False
    origin = request.headers.get("origin")
    return origin is None or origin == f"{request.url.scheme}://{host.netloc}"
