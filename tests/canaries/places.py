"""Where a secret belongs: the only places in which each kind may be seen, and why. Anything else is a leak.

A place that no run needs any more fails the test: the list may only describe what is so.
"""

from typing import Final

from tests.canaries.scanner import Place

_COOKIE = rb"(?im)^set-cookie: %s=[^;\r\n]+"

PLACES: Final = (
    Place("session id", "answers: headers", _COOKIE % b"session", "the browser is handed its session here"),
    Place("CSRF token", "answers: headers", _COOKIE % b"csrf", "the browser is handed its half here"),
    Place(
        "CSRF token",
        "answers: bodies",
        rb'name="csrfmiddlewaretoken" value="[^"]+"',
        "the other half, masked anew for each page, in the form that sends it back",
    ),
    Place(
        "browser cookie", "answers: headers", _COOKIE % b"connect", "the customer's browser is handed its proof here"
    ),
    Place(
        "connect link",
        "answers: bodies",
        rb"=== POST /tenants/(?:connect|[a-z-]+/link)/ 200\n.*?(?=\n=== |\Z)",
        "the page that shows a new link, once, to the staff who made it",
    ),
    Place(
        "API token",
        "answers: bodies",
        rb'id="token" value="portal_[^"]+"',
        "the page that shows a new token, once, to whoever made it",
    ),
    Place("connect link", "command connect_tenant: standard output", rb".*", "the command prints the link it made"),
    Place(
        "consent state",
        "answers: bodies",
        rb'(?:href|value)="http://localhost:\d+/[0-9a-f-]{36}/(?:v2\.0/)?adminconsent\?[^"]+"',
        "Microsoft's page is told the state, so that it sends it back",
    ),
    Place(
        "consent state",
        "answers: bodies",
        rb'<input type="hidden" name="state" value="[^"]+">',
        "the page that asks the customer's administrator to confirm",
    ),
    Place(
        "session id",
        "database: django_session",
        rb".*",
        "Django finds sessions by their id; a copy of the database is as good as the sessions until they end",
    ),
    Place(
        "client secret",
        "Microsoft: what it was sent",
        rb"=== POST /[^\n]*/token\?\n.*?(?=\n=== |\Z)",
        "Entra ID is shown the secret, in the body of the request for a token",
    ),
    Place(
        "client assertion",
        "Microsoft: what it was sent",
        rb"=== POST /[^\n]*/token\?\n.*?(?=\n=== |\Z)",
        "the statement signed with the private key, in the same place",
    ),
    Place(
        "access token",
        "Microsoft: what it was sent",
        rb"(?im)^authorization: Bearer [^\r\n]+",
        "each call of an API shows the token, in this header",
    ),
    Place("known browser", "answers: headers", _COOKIE % b"known", "the browser is handed its mark here"),
    Place(
        "TOTP seed",
        "answers: bodies",
        rb"<dt>Secret</dt><dd[^>]*>[A-Z2-7]+=*</dd>",
        "the page on which an authenticator is set up shows it, to be typed",
    ),
    Place(
        "TOTP seed",
        "database: otp_totp_totpdevice",
        rb".*",
        "codes can be checked only by who knows the seed; without the password it opens nothing",
    ),
    Place("recovery code", "answers: bodies", rb"<li>[a-z2-7-]{29}</li>", "the page that shows them, once"),
    *(
        Place(
            f"sign-in {name}",
            "answers: bodies",
            rb'(?:href|url)="?=?http://localhost:\d+/[^"]+/authorize\?[^"]+"|content="0;url=[^"]+"',
            "Microsoft's page is told it, so that the answer can be matched",
        )
        for name in ("state", "nonce")
    ),
    *(
        Place(
            kind,
            "Microsoft: what it was sent",
            rb"=== POST /[^\n]*/token\?\n.*?(?=\n=== |\Z)",
            "the code is redeemed here",
        )
        for kind in ("sign-in app's secret", "PKCE verifier", "authorization code")
    ),
    *(
        Place(
            kind,
            "Microsoft: what it was sent",
            rb"=== (?:GET|POST) /[^\n]*/(?:authorize|adminconsent)\?[^\n]*",
            "the person's browser brings it along to Microsoft's page",
        )
        for kind in ("consent state", "sign-in state", "sign-in nonce")
    ),
)
