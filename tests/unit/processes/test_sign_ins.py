"""Failed sign-ins: counted by address and by the token's beginning, forgotten after a minute, in bounded memory."""

import pytest

from processes.sign_ins import FailedSignIns, network_of


def test_each_address_has_a_window_of_its_own() -> None:
    failed = FailedSignIns(2)
    assert [failed.count("192.0.2.1", f"{n}", now=float(n)) for n in range(4)] == [None, None, 58, 57]
    assert failed.count("192.0.2.2", "other", now=4.0) is None


def test_one_token_that_is_tried_from_everywhere_is_slowed_down_too() -> None:
    failed = FailedSignIns(2)
    begin = "gw_abcdefgh"
    answers = [failed.count(f"192.0.2.{n}", f"{begin}{n}", now=0.0) for n in range(3)]
    assert answers == [None, None, 60]
    assert failed.count("192.0.2.9", "gw_zzzzzzzz1", now=0.0) is None


def test_a_minute_later_all_is_forgotten() -> None:
    failed = FailedSignIns(1)
    assert failed.count("192.0.2.1", "a", now=0.0) is None
    assert failed.count("192.0.2.1", "b", now=59.5) == 1
    assert failed.count("192.0.2.1", "c", now=60.0) is None


def test_however_many_addresses_fail_the_memory_is_bounded() -> None:
    failed = FailedSignIns(3, max_tracked=100)
    for number in range(1000):
        failed.count(f"10.0.{number // 250}.{number % 250}", f"{number:08}", now=0.0)
    assert len(failed._failures) <= 100
    assert all(len(times) <= 3 for times in failed._failures.values())


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::1", "2001:db8::/64"),
        ("2001:db8::ffff:1", "2001:db8::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("a unix socket", "a unix socket"),
        (None, "unknown"),
    ],
)
def test_who_has_a_network_to_choose_addresses_from_is_one(address: str | None, network: str) -> None:
    assert network_of(address) == network


def test_a_secret_with_any_characters_can_be_counted() -> None:
    assert FailedSignIns(1).count("", "\ud800" * 9) is None
