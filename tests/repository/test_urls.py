"""Every page asks who you are, but for a short list of public ones."""

from collections.abc import Callable, Iterator
from typing import Any

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.models import AnonymousUser
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import URLPattern, URLResolver, get_resolver

PUBLIC = {
    "accounts:sign_in": "the page that asks who you are",
    "accounts:entra_begin": "leads to Microsoft, where people say who they are",
    "accounts:entra_callback": "Microsoft sends the browser there; it opens nothing by itself",
    "accounts:second_factor": "the second half of that page, for a browser in which the password was right",
    "accounts:enrol": "the same, for somebody who has no second factor yet",
    "admin:login": "no page: it leads on to the one above",
    "tenants:connect": "the customer's administrator has no account here; the link's secret opens it",
    "tenants:callback": "Microsoft sends the customer's browser there",
}
# The administration's own door leads on to the first, as the test after this one sees.
DOORS = ("/sign-in/", "/admin/login/")
MIDDLEWARE = "django.contrib.auth.middleware.LoginRequiredMiddleware"


def views(resolver: URLResolver, namespaces: tuple[str, ...] = ()) -> Iterator[tuple[str, Callable[..., Any]]]:
    """(namespaced name or pattern, view) of every URL."""
    for entry in resolver.url_patterns:
        if isinstance(entry, URLResolver):
            yield from views(entry, (*namespaces, entry.namespace) if entry.namespace else namespaces)
        elif isinstance(entry, URLPattern):
            yield ":".join([*namespaces, entry.name or str(entry.pattern)]), entry.callback


def all_views() -> list[tuple[str, Callable[..., Any]]]:
    return list(views(get_resolver()))


def test_the_guard_stands_in_the_list_of_middleware_before_the_scope() -> None:
    order = settings.MIDDLEWARE
    assert order.index("django.contrib.auth.middleware.AuthenticationMiddleware") < order.index(MIDDLEWARE)
    assert order.index(MIDDLEWARE) < order.index("tenants.middleware.ScopeMiddleware") == len(order) - 1


def test_every_url_but_the_public_ones_sends_strangers_to_sign_in() -> None:
    guard = LoginRequiredMiddleware(lambda request: HttpResponse())
    open_doors = set()
    for name, view in all_views():
        request = RequestFactory().get("/somewhere/")
        request.user = AnonymousUser()
        answer = guard.process_view(request, view, (), {})
        if answer is None:
            open_doors.add(name)
        else:
            assert answer.status_code == 302, name
            assert answer.headers["Location"].startswith(DOORS), name
    assert open_doors == set(PUBLIC)


def test_pages_of_the_whole_portal_answer_a_stranger_with_the_sign_in_page() -> None:
    client = Client()
    for path in ("/", "/incidents/", "/tenants/", "/tenants/connect/", "/admin/", "/admin/login/"):
        answer = client.get(path)
        if answer.headers.get("Location", "").startswith("/admin/login/"):
            answer = client.get(answer.headers["Location"])
        assert answer.status_code == 302, path
        assert answer.headers["Location"].startswith("/sign-in/"), path


def test_every_url_has_a_name_so_that_nobody_spells_paths() -> None:
    ours = [name for name, view in all_views() if not name.startswith("admin:")]
    assert [name for name in ours if not name.replace(":", "").replace("_", "").isalnum()] == []
