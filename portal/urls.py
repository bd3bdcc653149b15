"""One include per app."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="incidents:queue"), name="home"),
    path("", include("accounts.urls")),
    path("", include("tenants.urls")),
    path("incidents/", include("incidents.urls")),
    path("tokens/", include("api.token_urls")),
    path("api/v1/", include("api.urls")),
    path("audit/", include("accounts.audit_urls")),
    path("admin/", admin.site.urls),
]

handler400, handler403, handler404, handler500 = (
    f"api.problems.{name}" for name in ("bad_request", "permission_denied", "page_not_found", "server_error")
)
