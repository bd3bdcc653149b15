"""The search box: what is looked up exactly, what is a word, and how it says so."""

import pytest

from incidents.search_box import all_words, understood

SHA256 = "A" * 64


@pytest.mark.parametrize(
    ("text", "kind", "spelling"),
    [
        ("d41d8cd98f00b204e9800998ecf8427e", "MD5", "d41d8cd98f00b204e9800998ecf8427e"),
        ("DA39A3EE5E6B4B0D3255BFEF95601890AFD80709", "SHA-1", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        (SHA256, "SHA-256", "a" * 64),
        ("203.0.113.5", "IP address", "203.0.113.5"),
        ("203[.]0[.]113[.]5,", "IP address", "203.0.113.5"),
        ("2001:DB8::1", "IP address", "2001:db8::1"),
        ("2001:0db8:0:0:0:0:0:1", "IP address", "2001:db8::1"),
        ("Megan@Contoso.com", "mail address or user", "megan@contoso.com"),
        ("hxxps://evil[.]example/A?b=1", "URL", "https://evil.example/A?b=1"),
        ("evil.example", "host, domain or file", "evil.example"),
        ("wks-042.contoso.com", "host, domain or file", "wks-042.contoso.com"),
        ("DESKTOP-4F2A1", "host", "desktop-4f2a1"),
        ("11111111-2222-4333-8444-555555555555", "id", "11111111-2222-4333-8444-555555555555"),
    ],
)
def test_a_value_of_a_usual_shape_is_looked_up(text: str, kind: str, spelling: str) -> None:
    (found,) = understood(text).exact
    assert found.kind == kind
    assert spelling in found.spellings
    assert understood(text).words == ()


def test_ipv6_is_looked_up_in_each_spelling_it_may_have_been_stored_in() -> None:
    (found,) = understood("2001:db8:0::1").exact
    assert {"2001:db8::1", "2001:db8:0::1", "2001:0db8:0000:0000:0000:0000:0000:0001"} <= set(found.spellings)


@pytest.mark.parametrize(
    "text", ["phishing", "contoso-dc", "100%", "a_b", "4711", "#", "#x", "300.300.1.1.1 ", "\\", "%"]
)
def test_what_has_no_shape_is_a_word(text: str) -> None:
    assert not understood(text).exact or text.startswith("300")
    assert understood(text).numbers == ()


def test_what_is_in_quotes_is_a_word_whatever_its_shape() -> None:
    assert understood('"203.0.113.5" "two words"').words == ("203.0.113.5", "two words")
    assert not understood('"203.0.113.5"').is_exact


def test_numbers_are_alternatives_and_everything_else_must_be_met_together() -> None:
    asked = understood("#12 #34 203.0.113.5 Phishing mail")
    assert (asked.numbers, [one.text for one in asked.exact], asked.words) == (
        (12, 34),
        ["203.0.113.5"],
        ("phishing", "mail"),
    )
    assert asked.sentence == "number #12 or #34 and IP address 203.0.113.5 and the words phishing mail"


def test_words_alone_need_no_explanation() -> None:
    assert understood("phishing mail").sentence == ""


def test_as_words_a_defanged_address_is_looked_for_as_it_was_sent() -> None:
    assert all_words('hxxp://evil[.]example/x #12 "a  b"') == ("http://evil.example/x", "12", "a b")


@pytest.mark.parametrize("text", ['"', '""', '"a', "[.]", "((", "\u202e", "\ud83d", "[" * 100, "1" * 200, "a." * 100])
def test_no_input_is_an_error(text: str) -> None:
    understood(text)
    all_words(text)
