"""One door in, one door out. Sign-in through Entra ID comes in by the same door."""

from django.contrib.auth import logout
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.decorators import method_decorator
from django.views.decorators.http import require_POST

from accounts.actor import actor_for
from accounts.forms import SignInForm
from audit.models import Outcome
from audit.record import Event, record


@method_decorator(login_not_required, name="dispatch")
class SignInView(LoginView):
    """The one page that asks who you are."""

    template_name = "accounts/sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: AuthenticationForm) -> HttpResponse:
        """Signed in: a new session id, and a line in the audit log."""
        with transaction.atomic():
            response = super().form_valid(form)
            record(Event(by=actor_for(self.request), action="sign in"))
        return response

    def form_invalid(self, form: AuthenticationForm) -> HttpResponse:
        """Refused: the name tried is recorded, the password never."""
        tried = str(form.data.get("username", ""))[:150]
        record(Event(by=actor_for(self.request), action="sign in", subject=tried, outcome=Outcome.DENIED))
        response: HttpResponse = super().form_invalid(form)
        response.status_code = 403
        return response


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Ends the session here."""
    record(Event(by=actor_for(request), action="sign out"))
    logout(request)
    response = redirect("accounts:sign_in")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response
