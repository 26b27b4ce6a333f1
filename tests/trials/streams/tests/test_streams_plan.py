"""A seed of the streams' trial plans the same again, every way to ask, and both kinds of kills."""

from tests.trials.streams.plan import API, GATEWAYS, LEG, WAYS, plan_legs


def test_a_seed_is_a_plan() -> None:
    assert list(plan_legs(100, seed=3)) == list(plan_legs(100, seed=3))
    assert list(plan_legs(100, seed=3)) != list(plan_legs(100, seed=4))


def test_every_request_is_planned_once_and_each_leg_has_its_kills() -> None:
    legs = list(plan_legs(2 * LEG + 10, seed=1))
    requests = [planned for leg in legs for planned in leg.requests]
    assert [planned.number for planned in requests] == list(range(2 * LEG + 10))
    assert [len(leg.requests) for leg in legs] == [LEG, LEG, 10]
    assert {planned.way for planned in requests} == set(WAYS)
    keys = [planned.key for planned in requests if planned.key]
    assert len(set(keys)) == len(keys) > LEG
    for leg in legs:
        first, api, second = (strike.part for strike in leg.strikes)
        assert api == API
        assert {first, second} <= {*GATEWAYS}
        assert all(0 <= strike.after < len(leg.requests) for strike in leg.strikes)
