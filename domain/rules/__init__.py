"""Rules: business conditions as plain Python functions, and as queries that every store answers alike."""

from .cursor import read_cursor as read_cursor, write_cursor as write_cursor
from .facts import (
    Attribute as Attribute,
    Facts as Facts,
    Many as Many,
    Scalar as Scalar,
    Value as Value,
    annotated as annotated,
)
from .formula import Expr as Expr
from .order import (
    OrderKey as OrderKey,
    after as after,
    asc as asc,
    desc as desc,
    nulls_first as nulls_first,
    nulls_last as nulls_last,
    trace_order as trace_order,
)
from .projection import Projection as Projection, trace_columns as trace_columns
from .rule import Rule as Rule, all_of as all_of, any_of as any_of, negate as negate, rule as rule
from .trace import trace as trace
