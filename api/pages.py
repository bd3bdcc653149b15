"""One's own API tokens: what there is, a new one, and its end."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.actor import actor_for
from accounts.step_up import fresh_sign_in_required
from api.forms import TokenForm
from api.listing import lines_for
from api.models import Token, Verb
from api.tokens import NotMade, make, revoke
from incidents.access import signed_in


@require_safe
def tokens(request: HttpRequest) -> HttpResponse:
    """What the person's programs use, and when they last did."""
    return render(request, "api/tokens.html", {"lines": lines_for(signed_in(request), timezone.now())})


@fresh_sign_in_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_token(request: HttpRequest) -> HttpResponse:
    """A form; then the value, on this page and nowhere else ever again."""
    user, by, now = signed_in(request), actor_for(request), timezone.now()
    form = TokenForm(user, request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "api/new_token.html", {"form": form}, status=400 if form.is_bound else 200)
    said, verbs = form.cleaned_data, [Verb(verb) for verb in form.cleaned_data["verbs"]]
    try:
        token, value = make(
            owner=user, name=said["name"], verbs=verbs, reach=form.reach(), expires_at=form.expires_at(), by=by, now=now
        )
    except NotMade as sentence:
        form.add_error(None, str(sentence))
        return render(request, "api/new_token.html", {"form": form}, status=400)
    return render(request, "api/made.html", {"token": token, "value": value})


@fresh_sign_in_required
@require_POST
def revoke_token(request: HttpRequest, token: int) -> HttpResponse:
    """One of one's own; somebody else's is as unknown as none."""
    mine = Token.objects.filter(owner=signed_in(request), pk=token).first()
    if mine is None:
        raise Http404
    if revoke(token=mine, by=actor_for(request), now=timezone.now()):
        messages.success(request, "The token is revoked: it opens nothing any more.")
    else:
        messages.info(request, "The token was revoked already.")
    return redirect("tokens:tokens")
