"""The algebra of formulas keeps the meaning, and the shape in which a rule is written."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, strategies as st

from honestwork.adapters.queries.evaluation import Rows, compile_scan
from honestwork.rules.formula import (
    FALSE,
    TRUE,
    Expr,
    Node,
    and_,
    attr,
    const,
    isnull,
    member,
    not_,
    notnull,
    or_,
    reduce,
    strip_guards,
    to_formula,
)

A = attr(0, ("a",), int, nullable=True)
B = attr(0, ("b",), int)
EVERY = Expr("or", tuple(Expr(op, (A, const(1)), bool) for op in ("lt", "ge")), bool)
LAYOUT = Rows({("a",): 0, ("b",): 1})
ROWS = list(itertools.product([None, 0, 1, 2], [0, 1, 2]))


def atom(op: str, attribute: Expr, value: int) -> Expr:
    return Expr(op, (attribute, const(value)), bool)


def true_rows(formula: Expr) -> list[tuple[object, ...]]:
    return compile_scan(formula, LAYOUT)(ROWS)


b_atoms = st.builds(atom, st.sampled_from(["eq", "ne", "lt", "le", "gt", "ge"]), st.just(B), st.integers(0, 2))
b_members = st.builds(
    lambda values, positive: member(B, tuple(map(const, values)), positive),
    st.lists(st.integers(0, 2), unique=True),
    st.booleans(),
)
two_valued = st.recursive(
    b_atoms | b_members | st.sampled_from([TRUE, FALSE]),
    lambda part: st.builds(lambda op, *parts: op(*parts), st.sampled_from([and_, or_]), part, part) | part.map(not_),
    max_leaves=6,
)
questions = b_atoms | b_members.filter(lambda e: e.op != "const")
trees = st.recursive(st.sampled_from([TRUE, FALSE]), lambda tree: st.builds(Node, questions, tree, tree), max_leaves=8)


@given(two_valued, two_valued)
def test_and_or_not_mean_what_they_say(p: Expr, q: Expr) -> None:
    in_p, in_q = set(true_rows(p)), set(true_rows(q))

    assert set(true_rows(and_(p, q))) == in_p & in_q
    assert set(true_rows(or_(p, q))) == in_p | in_q
    assert set(true_rows(not_(p))) == set(ROWS) - in_p


@given(trees)
def test_reducing_a_tree_keeps_its_meaning(tree: Expr | Node) -> None:
    def decided(row: tuple[object, ...]) -> bool:
        node = tree
        while isinstance(node, Node):
            node = node.then if compile_scan(node.cond, LAYOUT)([row]) else node.other
        return node == TRUE

    assert true_rows(to_formula(reduce(tree))) == [row for row in ROWS if decided(row)]


@pytest.mark.parametrize(
    ("formula", "stripped"),
    [
        (and_(notnull(A), atom("gt", A, 1)), atom("gt", A, 1)),
        (and_(notnull(A), atom("gt", B, 1)), and_(notnull(A), atom("gt", B, 1))),
        (or_(isnull(A), and_(notnull(A), atom("gt", B, 1))), or_(isnull(A), atom("gt", B, 1))),
        # What is left is not true of every row, though it looks so: A may be NULL.
        (and_(notnull(A), EVERY), EVERY),
        (and_(notnull(A), or_(atom("lt", A, 1), atom("gt", B, 1))),) * 2,
        (and_(notnull(A), isnull(A)), FALSE),
    ],
    ids=str,
)
def test_a_guard_goes_where_what_stands_beside_it_is_strict(formula: Expr, stripped: Expr) -> None:
    actual = strip_guards(formula)

    assert set(map(repr, actual.args)) == set(map(repr, stripped.args))
    assert true_rows(actual) == true_rows(formula)


def test_a_conjunction_of_alternatives_stays_one() -> None:
    a, b, c, d = (attr(0, (name,), bool) for name in "abcd")
    second = Node(c, TRUE, Node(d, TRUE, FALSE))

    actual = to_formula(reduce(Node(a, second, Node(b, second, FALSE))))

    assert str(actual) == "(a or b) and (c or d)"


def test_constants_of_different_types_are_different_constants() -> None:
    assert const(1) != const(True)
    assert const(1) != const(1.0)
    assert atom("eq", B, 1) == atom("eq", B, 1)


def test_what_is_implied_is_left_out() -> None:
    p, q = atom("gt", B, 0), atom("lt", B, 2)

    assert or_(p, and_(p, q)) == p
    assert and_(p, or_(p, q)) == p
    assert or_(p, not_(p)) == TRUE
    assert and_(p, not_(p)) == FALSE
