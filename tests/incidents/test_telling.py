"""Which values are looked for in other incidents, and which say nothing."""

import pytest

from incidents.telling import PER_KIND, Value, telling

HASH = "ab" * 32


@pytest.mark.parametrize(
    ("kind", "value", "here", "elsewhere"),
    [
        ("file", HASH, True, True),
        ("file", "ab" * 20, True, True),
        ("file", "setup.exe", False, False),
        ("file", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", False, False),
        ("ip", "203.0.113.7", True, True),
        ("ip", "2001:db8::1", True, True),
        ("ip", "10.1.2.3", False, False),
        ("ip", "172.31.0.1", False, False),
        ("ip", "172.32.0.1", True, True),
        ("ip", "192.168.0.1", False, False),
        ("ip", "100.64.0.1", False, False),
        ("ip", "169.254.1.1", False, False),
        ("ip", "127.0.0.1", False, False),
        ("ip", "::1", False, False),
        ("ip", "fe80::1", False, False),
        ("ip", "fd00::1", False, False),
        ("ip", "not an address", False, False),
        ("url", "https://evil.example/kit", True, True),
        ("url", "/", False, False),
        ("mailmessage", "accounts@evil.example", True, True),
        ("mailmessage", "re: your order", False, False),
        ("device", "srv-1.contoso.example", True, True),
        ("device", "srv-1", True, False),
        ("device", "localhost", False, False),
        ("user", "eve@contoso.example", True, False),
        ("user", "system", False, False),
        ("user", "nt authority\\system", False, False),
        ("user", "wks-1$", False, False),
        ("mailbox", "eve@contoso.example", True, False),
        ("process", "cmd.exe", False, False),
        ("other:Thing", "thing.example", False, False),
    ],
)
def test_a_value_is_looked_for_where_it_means_something(kind: str, value: str, here: bool, elsewhere: bool) -> None:
    assert (telling([(kind, value)], elsewhere=False) != []) is here
    assert (telling([(kind, value)], elsewhere=True) != []) is elsewhere


def test_of_each_kind_only_so_many_are_looked_for() -> None:
    sent = [("ip", f"203.0.113.{n}") for n in range(50)] + [("file", HASH)]
    found = telling(sent, elsewhere=True)
    assert len(found) == PER_KIND["ip"] + 1
    assert found[-1] == Value("file", HASH)
