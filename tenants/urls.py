"""Tenants for staff and members; the connect page and callback for customers."""

from django.urls import path

from tenants.views import access, actions, customer, pages, relink

app_name = "tenants"
urlpatterns = [
    path("tenants/", pages.tenants, name="tenants"),
    path("tenants/connect/", actions.connect_tenant, name="connect_tenant"),
    path("tenants/<slug:slug>/", pages.tenant, name="tenant"),
    path("tenants/<slug:slug>/state/", pages.tenant_state, name="tenant_state"),
    path("tenants/<slug:slug>/link/", actions.new_link, name="new_link"),
    path("tenants/<slug:slug>/check/", actions.check_now, name="check_now"),
    path("tenants/<slug:slug>/sync/", actions.sync_now, name="sync_now"),
    path("tenants/<slug:slug>/completeness/", actions.sweep_now, name="sweep_now"),
    path("tenants/<slug:slug>/roles/", actions.accept_roles, name="accept_roles"),
    path("tenants/<slug:slug>/disconnect/", actions.disconnect, name="disconnect"),
    path("tenants/<slug:slug>/access/", access.access, name="access"),
    path("tenants/<slug:slug>/access/give/", access.give_role, name="give_role"),
    path("tenants/<slug:slug>/access/change/", access.change_role, name="change_role"),
    path("tenants/<slug:slug>/relink/", relink.relink, name="relink"),
    path("connect/<str:secret>/", customer.connect, name="connect"),
    path("consent/callback/", customer.consent_callback, name="callback"),
]
