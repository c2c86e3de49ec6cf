"""From a function to a formula: what a rule, an order or a projection asks, so that every store answers it alike.

Users write plain functions, with `rule`, `desc` and their like from `honestwork.domain`. The functions here run
one of them on stand-ins and return what it asks: `trace` and `explain` for a rule, `trace_order` for an order,
`trace_columns` for a projection.
"""

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
from .order import OrderKey as OrderKey, after as after, trace_order as trace_order
from .projection import Projection as Projection, trace_columns as trace_columns
from .trace import explain as explain, trace as trace
