"""Four eyes: who is the same person as another, whatever the tokens say."""

from uuid import UUID

import pytest

from controlplane.domain.holds import Person

ONE, OTHER = UUID(int=1), UUID(int=2)


@pytest.mark.parametrize("name", ["ann", "Ann", " ann ", "\uff21\uff2e\uff2e"])
def test_one_name_is_one_person_however_it_is_written(name: str) -> None:
    assert Person(ONE, "ann").is_same_as(Person(OTHER, name))
    assert Person(OTHER, name).is_same_as(Person(ONE, "ann"))


def test_words_of_a_name_are_told_apart_by_blanks_of_any_number() -> None:
    assert Person(ONE, "Ann  Lee").is_same_as(Person(OTHER, "ann\tlee"))
    assert not Person(ONE, "Ann Lee").is_same_as(Person(OTHER, "annlee"))


def test_one_token_is_one_person_whatever_its_name() -> None:
    assert Person(ONE, "ann").is_same_as(Person(ONE, "bob"))


def test_another_token_of_another_name_is_another_person() -> None:
    assert not Person(ONE, "ann").is_same_as(Person(OTHER, "bob"))
