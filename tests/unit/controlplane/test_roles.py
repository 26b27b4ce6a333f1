"""Which roles may act as another, and in which words they are named."""

import pytest

from controlplane.domain.roles import may, whoever_may
from schemas.roles import Role


@pytest.mark.parametrize(
    ("needed", "said"),
    [
        (("auditor",), "'auditor' or 'admin'"),
        (("operator",), "'operator' or 'releaser' or 'admin'"),
        (("viewer",), "'viewer' or 'auditor' or 'operator' or 'releaser' or 'admin'"),
        (("gateway", "worker"), "'worker' or 'gateway' or 'admin'"),
        (("admin",), "'admin'"),
        ((), ""),
    ],
)
def test_whoever_may_act_as_one_of_these_roles_is_named(needed: tuple[Role, ...], said: str) -> None:
    assert whoever_may(*needed) == said


def test_a_role_may_what_it_includes_and_no_more() -> None:
    assert may("releaser", "operator")
    assert not may("operator", "releaser")
    assert not may("releaser", "feedback"), "who wants a release is not who says what was right"
