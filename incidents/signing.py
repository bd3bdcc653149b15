"""How a comment says whose it is: Microsoft records only the application.

Under the text stands a line such as "— AB, ref 7F3K2Q": the analyst's initials, and a reference by which the comment is
found again at Microsoft, so that it is never sent twice, and here, so that the page can name its author.
"""

import re
from collections.abc import Iterable
from typing import Final

from accounts.models import User
from incidents.models import Field, Incident, Intent

# Begins with what is rare: with blanks, a comment of nothing but blanks would take time by the square of its length.
_SIGNATURE: Final = re.compile(r"— [^\n]{1,8}, ref ([2-9A-HJ-NP-Z]{6})\s*\Z")
_INITIALS: Final = 8  # as many as their column and the pattern take


def initials_of(user: User) -> str:
    """Up to four capitals of the person's name, as they stand under a comment: Microsoft records only the app."""
    letters = [word[0] for word in user.display_name.split() if word[0].isalnum()]
    return "".join(letters[:4]).upper()[:_INITIALS] or "?"  # some letters have capitals of three characters


def signed(text: str, *, initials: str, mark: str) -> str:
    """The text as Microsoft is told it."""
    return f"{text}\n\n— {initials}, ref {mark}"


def carries(text: str, mark: str) -> bool:
    """Whether a comment of Microsoft's is the one with this reference, whatever became of its line breaks."""
    return re.search(rf"\bref {re.escape(mark)}\b", text) is not None


def is_among(comments: Iterable[str], mark: str) -> bool:
    """Whether the comment with this reference has arrived."""
    return any(carries(text, mark) for text in comments)


def unsigned(text: str) -> tuple[str, str]:
    """(text, reference): the text without its last line where that is one of ours; the reference is "" otherwise."""
    found = _SIGNATURE.search(text)
    return (text[: found.start()].rstrip(), found[1]) if found else (text, "")


def authors_of(incident: Incident) -> dict[str, tuple[str, str]]:
    """reference → (name of the person who wrote the comment here, its text), for an incident's page."""
    mine = Intent.objects.filter(tenant_id=incident.tenant_id, incident=incident, field=Field.COMMENT)
    return {mark: (name, text) for mark, name, text in mine.values_list("mark", "user__display_name", "wanted")}


def is_as_written(text: str, wanted: str) -> bool:
    """Whether a comment of Microsoft's says what was written here, whatever became of its blanks and line breaks.

    Whoever reads a comment can copy its last line under another text.
    """
    return text.split() == wanted.split()
