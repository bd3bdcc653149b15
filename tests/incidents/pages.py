"""Reading answers as a browser's parser would, and text that attackers send."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

# What incident content may hold; each would do harm in a page that trusts it.
HOSTILE = [
    "<script>alert(1)</script>",
    "'\"><img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    '" onmouseover="alert(1)" x="',
    "javascript:alert(1)",
    "</textarea></title></script><iframe src=//evil.example>",
    "{{ 7|add:7 }}{% load x %}",
    "<div hx-get=/admin/ hx-trigger=load style=position:fixed>",
    "<a href=http://evil.example>click</a> http://evil.example/x",
    "a\u202etxt.exe\u2066\u200b\ufeff\x1b[2J",
    "<!--<meta http-equiv=refresh content=0;url=//evil.example>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
]
OURS = ("/static/", "/incidents/", "/tenants/", "/admin/", "/sign-", "/", "#", "?")


@dataclass
class Reader(HTMLParser):
    """The text, links, moments and polled addresses of a page, and every tag with its attributes."""

    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        """All text with blanks collapsed."""
        return " ".join("".join(self.words).split())

    @property
    def links(self) -> list[str]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a" and "href" in attributes]

    @property
    def moments(self) -> list[str]:
        return [attributes["datetime"] for tag, attributes in self.tags if tag == "time"]

    @property
    def polled(self) -> dict[str, str]:
        """Addresses asked again and again, by the id of the element."""
        return {a["id"]: a["hx-get"] for _, a in self.tags if "data-poll" in a}


def read(content: bytes) -> Reader:
    """A page, parsed."""
    reader = Reader()
    reader.feed(content.decode())
    reader.close()
    return reader


def assert_harmless(content: bytes, *, shows: str = "") -> None:
    """Nothing in the page acts: no script but ours, no handler, no style, no link away, nothing hidden."""
    page = read(content)
    for tag, attributes in page.tags:
        assert tag not in {"iframe", "object", "embed", "base", "textarea", "img", "style"}, tag
        if tag == "script":
            assert attributes["src"].startswith(("/static/", "/admin/jsi18n/"))
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            assert name != "style", tag
            assert name != "http-equiv", tag
            if name in {"href", "src", "action", "hx-get", "formaction"}:
                assert value.startswith(OURS) and not value.startswith("//"), (tag, name, value)
    assert not any(hidden in page.text for hidden in "\u202e\u2066\u200b\ufeff\x1b")
    assert "http://evil.example" not in page.text
    assert shows in page.text
