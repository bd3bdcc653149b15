"""People's own API tokens."""

from django.urls import path

from api import pages

app_name = "tokens"
urlpatterns = [
    path("", pages.tokens, name="tokens"),
    path("new/", pages.new_token, name="new"),
    path("<int:token>/revoke/", pages.revoke_token, name="revoke"),
]
