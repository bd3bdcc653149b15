"""The line under a comment that says whose it is: what it gives away, and to whom."""

import subprocess
import sys

import pytest

from accounts.models import User
from incidents.models import Comment
from incidents.overlay import comment_lines
from incidents.signing import _SIGNATURE, initials_of, signed, unsigned
from tenants import scope
from tests.cast import make_cast, make_incident
from tests.incidents.deciding import decide, the_intent


@pytest.mark.parametrize("text", ["Known scanner.", "Two\n\nparagraphs", "ends in blanks  "])
def test_what_was_signed_is_read_back_without_its_signature(text: str) -> None:
    assert unsigned(signed(text, initials="AB", mark="7F3K2Q")) == (text.rstrip(), "7F3K2Q")


@pytest.mark.parametrize("text", ["", "Nothing.", "— AB, ref 7F3K2Q and more", "— AB, ref 0OIL10", "ref 7F3K2Q"])
def test_a_comment_without_our_line_stays_as_it_is(text: str) -> None:
    assert unsigned(text) == (text, "")


def test_a_comment_of_blanks_costs_no_more_than_its_length() -> None:
    """By the square of their number these blanks would take minutes; the child is ended long before."""
    code = "import re, sys; print(re.compile(sys.argv[1]).search(' ' * 300_000 + 'x'))"
    done = subprocess.run([sys.executable, "-c", code, _SIGNATURE.pattern], capture_output=True, timeout=60, check=True)
    assert done.stdout.strip() == b"None"


def test_initials_stay_short_whatever_alphabet_a_name_is_in() -> None:
    """Some letters have capitals of three characters."""
    assert len(initials_of(User(display_name="ΐ ΐ ΐ ΐ"))) <= 8


@pytest.mark.django_db
def test_a_reference_that_somebody_copied_names_nobody() -> None:
    cast = make_cast()
    make_incident(cast.contoso, 7)
    decide(cast.alice, ("contoso", 7), comment="Known scanner.")
    made = the_intent(cast.contoso, "comment")
    texts = [signed(text, initials="A", mark=made.mark) for text in ("Known  scanner.\r\n", "All clear, close it.")]
    with scope.tenant(cast.contoso.pk):
        lines = comment_lines(made.incident, [Comment(text=text, created_by="Somebody") for text in texts])
    assert [(one.text, one.author) for one in lines] == [("Known  scanner.", "Alice"), (texts[1], "")]
