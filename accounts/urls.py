"""Sign-in and sign-out, proving once more who one is, and one's own sessions."""

from django.urls import path

from accounts import preferences_views, second_factor_views, session_views, step_up_views, views

app_name = "accounts"
urlpatterns = [
    path("sign-in/", views.SignInView.as_view(), name="sign_in"),
    path("sign-in/microsoft/", views.entra_begin, name="entra_begin"),
    path("sign-in/callback/", views.entra_callback, name="entra_callback"),
    path("sign-in/code/", second_factor_views.second_factor_page, name="second_factor"),
    path("sign-in/authenticator/", second_factor_views.enrol, name="enrol"),
    path("sign-out/", views.sign_out, name="sign_out"),
    path("step-up/", step_up_views.step_up, name="step_up"),
    path("step-up/again/", step_up_views.again, name="again"),
    path("preferences/", preferences_views.preferences, name="preferences"),
    path("preferences/theme/", preferences_views.theme, name="theme"),
    path("sessions/", session_views.sessions, name="sessions"),
    path("sessions/authenticator/", second_factor_views.authenticator, name="authenticator"),
    path("sessions/end-others/", session_views.end_other_sessions, name="end_other_sessions"),
    path("sessions/<uuid:visit>/end/", session_views.end_session, name="end_session"),
]
