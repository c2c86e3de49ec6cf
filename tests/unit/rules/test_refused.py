"""What has no exact query is refused when the query is built, and the message teaches."""

from __future__ import annotations

import pytest

from honestwork.domain import HonestworkError, RuleRefused
from honestwork.rules import trace
from tests.rules_kit.refused import REFUSED, Admin
from tests.rules_kit.shop import User


@pytest.mark.parametrize("construct", REFUSED)
def test_what_has_no_exact_query_is_refused(construct: str) -> None:
    rule, words = REFUSED[construct]

    with pytest.raises(RuleRefused, match=words):
        trace(rule, User)


def test_a_refusal_names_the_rule_and_where_it_is_written() -> None:
    with pytest.raises(RuleRefused, match=r"^rule loop \(refused\.py:\d+\) loops over"):
        trace(REFUSED["loop"][0], User)


def test_a_refusal_is_an_error_of_the_library_and_a_value_error() -> None:
    assert issubclass(RuleRefused, HonestworkError)
    assert issubclass(RuleRefused, ValueError)


def test_a_property_that_a_subclass_overrides_is_refused() -> None:
    class Account:
        balance: int

        @property
        def good(self) -> bool:
            return self.balance > 0

    class Credit(Account):
        @property
        def good(self) -> bool:
            return True

    with pytest.raises(RuleRefused, match=r"uses Account\.good, which Credit overrides"):
        trace(lambda account: account.good, Account)
    assert str(trace(lambda account: account.balance > 1, Account)) == "balance > 1"
    assert trace(lambda account: account.good, Credit)


def test_the_class_of_a_row_cannot_be_asked_behind_the_tracers_back() -> None:
    # A method of another object is code that the tracer does not see.
    class Visitor:
        def admin(self, user: User) -> bool:
            return isinstance(user, Admin)

    visitor = Visitor()

    with pytest.raises(RuleRefused, match="asks for the class of a User, which has subclasses"):
        trace(lambda u: visitor.admin(u), User)


def test_a_collection_written_into_a_class_is_no_child_collection() -> None:
    class Post:
        tags: list[str]

    with pytest.raises(RuleRefused, match="tags"):
        trace(lambda post: any(tag == "x" for tag in post.tags), Post)
