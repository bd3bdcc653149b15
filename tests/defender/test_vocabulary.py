"""The words of the API: known ones in every spelling, unknown ones as sent."""

import pytest

from defender import vocabulary as words


@pytest.mark.parametrize(
    ("status", "code", "is_open"),
    [
        ("Active", 1, True),
        ("active", 1, True),
        ("InProgress", 2, True),
        ("In progress", 2, True),
        ("Resolved", 3, False),
        ("Redirected", 4, False),
        ("New", 9, True),
        ("AwaitingAction", 9, True),
        ("", 9, True),
    ],
)
def test_f29_an_unknown_status_is_other_and_still_open(status: str, code: int, is_open: bool) -> None:
    assert words.status_code(status) == code
    assert words.is_open(code) is is_open


def test_sync_f17_an_unknown_severity_sorts_above_high() -> None:
    ranks = [words.severity_rank(word) for word in ("Informational", "LOW", "medium", "High", "UnSpecified", "5", "")]
    assert ranks == [1, 2, 3, 4, 5, 5, 5]


@pytest.mark.parametrize(
    ("sent", "known"),
    [
        ("CompromisedAccount", "CompromisedUser"),
        ("compromisedUser", "CompromisedUser"),
        ("ConfirmedActivity", "ConfirmedUserActivity"),
        ("confirmedUserActivity", "ConfirmedUserActivity"),
        ("NoEnoughDataToValidate", "InsufficientData"),
        ("notEnoughDataToValidate", "InsufficientData"),
        ("Not malicious", "Clean"),
        ("notMalicious", "Clean"),
        ("SomethingNew", None),
    ],
)
def test_f28_every_spelling_of_a_determination_is_one_word(sent: str, known: str | None) -> None:
    assert words.known_word(sent, words.DETERMINATIONS) == known


def test_f28_both_spellings_of_the_informational_classification_are_one_word() -> None:
    for sent in ("Informational, expected activity", "InformationalExpectedActivity", "informationalExpectedActivity"):
        assert words.known_word(sent, words.CLASSIFICATIONS) == "InformationalExpectedActivity"


def test_f26_an_unknown_word_is_shown_as_sent() -> None:
    assert words.label("5", words.SEVERITIES) == "unknown (5)"
    assert words.label("informationalExpectedActivity", words.CLASSIFICATIONS) == "Informational, expected activity"
    assert words.label("", words.CLASSIFICATIONS) == "Not set"


def test_f28_only_pairs_that_the_service_accepts_are_valid() -> None:
    assert words.is_valid_pair("TruePositive", "CompromisedAccount")
    assert words.is_valid_pair("Informational, expected activity", "confirmedActivity")
    assert words.is_valid_pair("FalsePositive", "Clean")
    assert not words.is_valid_pair("FalsePositive", "Malware")
    assert not words.is_valid_pair("Unknown", "Other")
    assert not words.is_valid_pair("TruePositive", "SomethingNew")


def test_every_word_of_a_pair_has_a_label() -> None:
    assert words.DETERMINATIONS_OF.keys() <= words.CLASSIFICATIONS.keys()
    for determinations in words.DETERMINATIONS_OF.values():
        assert set(determinations) <= words.DETERMINATIONS.keys()


def test_f28_each_api_gets_its_own_spelling() -> None:
    assert words.spelling("ConfirmedUserActivity", "xdr-write") == "ConfirmedActivity"
    assert words.spelling("ConfirmedUserActivity", "graph") == "confirmedActivity"
    assert words.spelling("TruePositive", "graph") == "truePositive"
    assert words.spelling("Malware", "xdr-write") == "Malware"
    assert words.spelling("CompromisedUser", "xdr-read") == "CompromisedUser"
