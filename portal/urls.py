"""One include per app."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="incidents:queue"), name="home"),
    path("", include("accounts.urls")),
    path("", include("tenants.urls")),
    path("incidents/", include("incidents.urls")),
    path("audit/", include("accounts.audit_urls")),
    path("admin/", admin.site.urls),
]
