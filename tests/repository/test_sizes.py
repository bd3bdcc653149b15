"""Files stay small enough to be read in one go."""

from tests.repository.tree import PACKAGES, ROOT, files_in, name_of

LARGEST = 400  # lines; our own limit
KINDS = (".py", ".html", ".css", ".js")
# Copied as they are from their makers, with their licences.
VENDORED = ("portal/static/vendor/",)


def test_no_file_is_longer_than_four_hundred_lines() -> None:
    long = {}
    for kind in KINDS:
        for path in files_in(*PACKAGES, "templates", suffix=kind):
            lines = len(path.read_bytes().splitlines())
            if lines > LARGEST and "migrations" not in path.parts and not name_of(path).startswith(VENDORED):
                long[name_of(path)] = lines
    assert long == {}


def test_no_text_file_carries_a_secret_or_a_private_key() -> None:
    marks = ("BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY", "BEGIN EC PRIVATE KEY")
    found = [
        name_of(path)
        for suffix in (".pem", ".key", ".env", ".md", ".yaml", ".toml", ".json")
        for path in files_in(*PACKAGES, "docs", suffix=suffix)
        if any(mark in path.read_text(errors="replace") for mark in marks)
    ]
    assert found == []
    assert not list((ROOT / "docs").rglob("*.pem"))
