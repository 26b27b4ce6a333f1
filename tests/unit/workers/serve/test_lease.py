"""A canary has its weight only while it is leased, loaded and current."""

from uuid import UUID

from schemas.serving import Generation
from tests.support.builders.models import served_version
from workers.serve.rollout.lease import Lease, applied_weight, counts

ROLLOUT = UUID(int=3)
CANARY = Generation(
    deployment="d",
    generation=5,
    stable=served_version(1),
    canary=served_version(2),
    weight=0.25,
    rollout_id=ROLLOUT,
    signing_key="",
)
BOTH = (UUID(int=1), UUID(int=2))


def test_the_weight_applies_whole_or_not_at_all() -> None:
    assert applied_weight(CANARY, newest=5, loaded=BOTH, leased=True) == 0.25
    assert applied_weight(CANARY, newest=5, loaded=BOTH, leased=False) == 0.0
    assert applied_weight(CANARY, newest=5, loaded=BOTH[:1], leased=True) == 0.0
    assert applied_weight(CANARY, newest=6, loaded=BOTH, leased=True) == 0.0


def test_a_lease_is_for_one_rollout_and_ends() -> None:
    lease = Lease(ROLLOUT, until=10.0)
    assert lease.covers(ROLLOUT, 10.0)
    assert not lease.covers(ROLLOUT, 10.1)
    assert not lease.covers(UUID(int=4), 1.0)
    assert not Lease().covers(None, -1.0)


def test_units_count_only_in_a_rollout_whose_weight_applied() -> None:
    assert counts(CANARY, 0.25)
    assert not counts(CANARY, 0.0)
    assert not counts(CANARY.model_copy(update={"weight": 0.0}), 0.0)
    assert not counts(CANARY.model_copy(update={"rollout_id": None}), 0.25)
