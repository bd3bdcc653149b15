"""HTML of the sandbox's own pages: plain, escaped, without scripts, light and dark."""

from collections.abc import Iterable
from html import escape

from starlette.responses import HTMLResponse

SHELL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{title}</title>
<link rel="stylesheet" href="/_sandbox/static/sandbox.css"></head>
<body><header><strong>Sandbox cloud</strong> <span>Everything here is made up.</span></header>
<main>{body}</main></body></html>"""
HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'"}


def html(title: str, body: str, status: int = 200) -> HTMLResponse:
    """A page; ``body`` is markup whose texts the caller has escaped."""
    return HTMLResponse(SHELL.format(title=escape(title), body=body), status, headers=HEADERS)


def hidden(fields: Iterable[tuple[str, str]]) -> str:
    """Hidden inputs."""
    return "".join(f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">' for name, value in fields)


def button(text: str, action: str, fields: Iterable[tuple[str, str]] = (), *, kind: str = "") -> str:
    """A form of one button."""
    look = f' class="{kind}"' if kind else ""
    form = f'<form method="post" action="{escape(action)}">{hidden(fields)}'
    return f"{form}<button{look}>{escape(text)}</button></form>"
