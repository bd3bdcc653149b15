"""The audit log's pages."""

from django.urls import path

from accounts import audit_pages

app_name = "audit"
urlpatterns = [
    path("", audit_pages.events, name="events"),
    path("download/", audit_pages.download, name="download"),
]
