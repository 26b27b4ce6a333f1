"""Whatever keeps a rollout where it is ends in the command that ends it."""

from uuid import UUID

import pytest

from controlplane.domain.waits import frozen, held, in_front, no_gateway, paused

ROLLOUT = UUID("0123abcd-89ab-4def-8123-456789abcdef")


@pytest.mark.parametrize(("reason", "why"), [(None, ""), ("", ""), ("it hangs", " (it hangs)")])
def test_a_frozen_queue_says_why_and_how_it_is_resumed(reason: str | None, why: str) -> None:
    assert frozen("reviews", reason) == f"deployment reviews is frozen{why}: graftwork deployment resume reviews"


@pytest.mark.parametrize(("queued", "others"), [(0, ""), (1, ", and 1 queued before this one")])
def test_a_queued_rollout_names_the_one_in_front_and_how_many_wait_between_them(queued: int, others: str) -> None:
    assert in_front(ROLLOUT, "sentiment/4", "Paused", queued) == (
        f"rollout 0123abcd of sentiment/4 is in front (Paused){others}: "
        "graftwork rollout get 0123abcd -w, or promote or abort it"
    )


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (None, 'it is paused: graftwork rollout resume 0123abcd --reason "…"'),
        ("INVALID", 'it stands, because it is INVALID: graftwork rollout abort 0123abcd --reason "…"'),
        (
            "INCONCLUSIVE",
            'it stands, because it is INCONCLUSIVE: graftwork rollout abort 0123abcd --reason "…", or promote',
        ),
    ],
)
def test_only_what_a_person_paused_can_be_resumed_and_only_without_a_fault_promoted(
    verdict: str | None, said: str
) -> None:
    assert paused(ROLLOUT, verdict) == said


def test_what_is_held_names_who_holds_it_and_who_may_release_it() -> None:
    assert held("rollout", ROLLOUT, "ann", "friday") == (
        "rollout 0123abcd is held by ann (friday): "
        'another auditor or admin: graftwork rollout release-hold 0123abcd --reason "…"'
    )
    assert held("deployment", "reviews-of-books", "ann", "friday") == (
        "deployment reviews-of-books is held by ann (friday): "
        'another auditor or admin: graftwork deployment release-hold reviews-of-books --reason "…"'
    )


def test_without_a_gateway_both_ways_to_start_one_are_named() -> None:
    assert no_gateway("reviews") == (
        "no gateway of reviews is live: graftwork up, or graftwork serve --deployment reviews"
    )
