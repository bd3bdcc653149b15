"""A page is split into its entries whatever one of them holds, and what is no page is refused as a whole."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from defender.wire import Unreadable, UnreadablePage, content_hash, read_incident, split_page
from tests.defender.payloads import as_sent, documented_incident, page, recorded_incident

LINK = "https://api.security.microsoft.com/api/incidents/?$skip=100"

# Entries that no page should be lost for; the second column is what becomes of the entry itself.
POISON = [
    pytest.param(b'{"incidentId":1,"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep", id="100,000 deep"),
    pytest.param(b'{"incidentId":1,"a":' + b"9" * 100_000 + b"}", "too_many_digits", id="100,000 digits"),
    pytest.param(b'{"incidentId":1,"a":1.' + b"0" * 100_000 + b"}", "too_many_digits", id="100,000 decimals"),
    pytest.param(b'{"incidentId":1,"a":NaN}', None, id="NaN"),
    pytest.param(b'{"incidentId":1,"a":-Infinity}', None, id="-Infinity"),
    pytest.param(b'{"incidentId":1,"a":1e999}', None, id="1e999"),
    pytest.param(b'{"incidentId":1,"incidentName":"\\ud800"}', None, id="lone surrogate"),
    pytest.param(b'{"incidentId":1,"incidentName":"a\x01\n"}', None, id="control character"),
    pytest.param(b'{"incidentId":1,"incidentName":"\xff"}', None, id="broken UTF-8"),
    pytest.param(b'{"incidentId":1,"incidentName":"]},{"}', None, id="brackets inside a text"),
    pytest.param(b'{"incidentId":1,"a":undefined}', "syntax", id="undefined"),
    pytest.param(b'{"incidentId":1,}', "syntax", id="trailing comma"),
    pytest.param(b'{"incidentId":1 "a":2}', "syntax", id="missing comma"),
    pytest.param(b'{"incidentId":1,"a":"\\q"}', "syntax", id="unknown escape"),
    pytest.param(b'{"incidentId":01}', "syntax", id="leading nought"),
    pytest.param(b"null", "not_an_object", id="null"),
    pytest.param(b"[[1],{}]", "not_an_object", id="a list"),
    pytest.param(b"{}", "no_incident_id", id="empty object"),
]


def test_entries_keep_the_bytes_that_were_sent_and_the_link_is_found() -> None:
    entries = [b'{ "incidentId" : 1 , "x":1.50}', as_sent(recorded_incident())]
    split = split_page(page(*entries, link=LINK))
    assert split.items == entries
    assert split.next_link == LINK


@pytest.mark.parametrize("link", [b"", b',"@odata.nextLink":null', b',"@odata.nextLink":""', b',"@odata.nextLink":5'])
def test_a_page_without_a_usable_link_is_the_last_one(link: bytes) -> None:
    assert split_page(b'{"value":[]' + link + b"}").next_link is None


def test_a_page_may_be_empty_begin_with_a_mark_or_carry_keys_in_any_order() -> None:
    assert split_page(b'\xef\xbb\xbf {"value":[]}\r\n').items == []
    assert split_page(b'{"@odata.nextLink":"https://a","value":[{}],"@odata.count":1}').items == [b"{}"]


@pytest.mark.parametrize("position", [0, 49, 99])
@pytest.mark.parametrize(("poison", "reason"), POISON)
def test_f31_and_sync_f19_one_poisoned_entry_leaves_its_99_neighbours(
    position: int, poison: bytes, reason: str | None
) -> None:
    whole = [as_sent(documented_incident(number)) for number in range(1, 100)]
    entries = [*whole[:position], poison, *whole[position:]]
    split = split_page(page(*entries, link=LINK))
    assert split.items == entries
    assert split.next_link == LINK
    if reason is None:
        assert read_incident(poison).incident_id == 1
    else:
        with pytest.raises(Unreadable) as refused:
            read_incident(poison)
        assert refused.value.reason == reason


def test_sync_f19_a_poison_stands_at_each_position_of_a_hundred() -> None:
    whole = [as_sent(recorded_incident(number)) for number in range(1, 100)]
    poison = b'{"incidentId":1000,"a":undefined,"b":["]"]}'
    for position in range(100):
        items = split_page(page(*whole[:position], poison, *whole[position:])).items
        assert items[position] == poison
        assert items[:position] + items[position + 1 :] == whole


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"<!DOCTYPE html><html>Sign in</html>", "html"),
        (b"null", "not_an_object"),
        (b"[]", "not_an_object"),
        (b'[{"incidentId":1}]', "not_an_object"),
        (b"12", "not_an_object"),
        (b"OK", "not_an_object"),
        (b"\x1f\x8b\x08\x00", "not_an_object"),
        (b"{}", "no_value"),
        (b'{"Value":[]}', "no_value"),
        (b'{"value":null}', "value_not_a_list"),
        (b'{"value":{}}', "value_not_a_list"),
        (b'{"value":"x"}', "value_not_a_list"),
        (b'{"value":NaN}', "no_value"),
        (b'{"error":{"code":"TooManyRequests","message":"later"}}', "error_object"),
        (b'{"error":{"code":NaN}}', "error_object"),
        (b'{"error":"denied","value":null}', "error_object"),
        (b'{"value":[]} {"value":[]}', "syntax"),
        (b'{"value":[]} trailing', "syntax"),
    ],
)
def test_sync_f7_and_f8_what_is_no_page_is_refused_with_a_reason(body: bytes, reason: str) -> None:
    with pytest.raises(UnreadablePage) as refused:
        split_page(body)
    assert refused.value.reason == reason
    assert refused.value.sentence.endswith(".")
    assert len(refused.value.body_hash) == 32


def test_sync_f7_the_start_of_an_unreadable_answer_is_kept_escaped_and_short() -> None:
    with pytest.raises(UnreadablePage) as refused:
        split_page(b"<html>\x1b[31m\xff\n" + b"x" * 5_000)
    assert refused.value.head.startswith("<html>\\x1b[31m\\ufffd\\n")
    assert len(refused.value.head) == 200


def test_sync_f6_a_page_cut_at_any_of_200_places_is_refused_whole() -> None:
    body = page(*(as_sent(documented_incident(number)) for number in range(5)), as_sent({"a": '"\\'}), link=LINK)
    for cut in range(1, len(body), len(body) // 200):
        with pytest.raises(UnreadablePage):
            split_page(body[:cut])


@settings(max_examples=200, derandomize=True, deadline=None)
@given(st.lists(st.recursive(st.text() | st.integers(), st.lists) | st.dictionaries(st.text(), st.text())))
def test_the_scanner_splits_as_the_parser_does(values: list[object]) -> None:
    entries = [as_sent(value) for value in values]
    assert split_page(page(*entries)).items == entries
    assert split_page(page(*entries, b"NaN")).items == [*entries, b"NaN"]


@settings(max_examples=300, derandomize=True, deadline=None)
@given(st.binary(max_size=60) | st.text('{}[]",:\\ value').map(str.encode))
def test_no_bytes_make_the_splitter_fail_otherwise(noise: bytes) -> None:
    for body in (noise, b'{"value":[' + noise + b"]}", b'{"value":' + noise):
        try:
            assert isinstance(split_page(body).items, list)
        except UnreadablePage as error:
            assert error.reason


@pytest.mark.parametrize("unit", [b'"', b'\\"', b"[", b"{}", b'"\\', b"NaN,", b'{"value":[', b"\\", b"]"])
def test_splitting_takes_time_linear_in_the_size(unit: bytes) -> None:
    body = b'{"value":[' + unit * (2_000_000 // len(unit))
    began = time.process_time()
    with pytest.raises(UnreadablePage):
        split_page(body)
    assert time.process_time() - began < 20


def test_equal_bytes_have_equal_hashes_of_16_bytes() -> None:
    assert content_hash(b"{}") == content_hash(b"{}") != content_hash(b"{ }")
    assert len(content_hash(b"")) == 16
