"""Breaks of what stands between programs and tenants: tokens, their scope, the order of changes."""

from tests.isolation.mutants.breaks import Break, edit

TOKENS = "tests/api/test_tokens.py::"
ONE_TENANT = f"{TOKENS}test_a_token_for_one_tenant_opens_that_one_of_its_owners_alone"
EACH_LOCK = f"{TOKENS}test_each_lock_narrows_alone"
OVER = f"{TOKENS}test_a_token_that_is_over_opens_nothing_with_the_next_request_and_is_noted_once_an_hour"

PROGRAMS = (
    Break(
        "a program: managers know nothing of a narrowed scope",
        (edit("tenants/scope.py", "if scope is not None and scope.only is not None:", "if scope is None:"),),
        (EACH_LOCK,),
    ),
    Break(
        "a program: memberships are shown beyond a narrowed scope",
        (edit("api/migrations/0001_initial.py", "({ONLY} IS NULL OR tenant_id", "(true OR tenant_id"),),
        (EACH_LOCK,),
    ),
    Break(
        "a program: the middleware opens its owner's whole scope",
        (edit("tenants/middleware.py", 'only=getattr(request, "only_tenants", None)', "only=None"),),
        (ONE_TENANT,),
    ),
    Break(
        "a program: a file is read in its owner's whole scope",
        (edit("api/export.py", "only=reach", "only=lambda: None"),),
        (ONE_TENANT,),
    ),
    Break(
        "a program: a browser's session opens the API",
        (
            edit("api/middleware.py", "            request.COOKIES = {}\n", ""),
            edit("api/middleware.py", '            request.META.pop("HTTP_COOKIE", None)\n', "            pass\n"),
            edit("api/middleware.py", "        request.user = AnonymousUser()\n", ""),
        ),
        (f"{TOKENS}test_a_session_opens_nothing_and_nothing_of_the_api_touches_it",),
    ),
    Break(
        "a program: nobody looks at the verb",
        (edit("api/operations.py", "chosen.verb not in token.verbs", "not token.verbs"),),
        (f"{TOKENS}test_a_verb_that_the_token_lacks_is_refused_with_its_name_and_noted",),
    ),
    Break(
        "a program: a token never expires",
        (edit("api/models.py", "if self.expires_at <= now:", "if self.expires_at <= self.created_at:"),),
        (f"{OVER}[expired]",),
    ),
    Break(
        "a program: a token outlives its owner",
        (
            edit(
                "api/models.py", 'return "in use" if self.owner.is_active else "owner switched off"', 'return "in use"'
            ),
        ),
        (f"{OVER}[owner switched off]",),
    ),
    Break(
        "a program: a file goes on after its token is revoked",
        (edit("incidents/queue_export.py", "and may_go_on()):", "and may_go_on):"),),
        (f"{TOKENS}test_a_file_breaks_off_where_its_token_is_revoked_meanwhile",),
    ),
    Break(
        "a program: a cursor of somebody else leads on",
        (edit("api/cursor.py", "if (by, asked) != (owner, question):", "if asked != question:"),),
        ("tests/api/test_reading.py::test_a_cursor_of_somebody_else_of_another_question_or_made_up_is_refused_x5",),
    ),
    Break(
        "a program: changes are given past writers that still run",
        (edit("api/feed.py", "c.mark <= %(horizon)s", "c.mark <= %(horizon)s + 1000000"),),
        ("tests/api/test_feed.py::test_a_row_that_is_committed_after_a_later_one_is_seen_once_it_is_there",),
    ),
)
