"""The imperative mapping of the shop."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.orm import composite, configure_mappers, registry, relationship

from .shop import Address, Line, Status, User

shop = registry()
text = (
    sa.String(40)
    .with_variant(sa.String(40, collation="C"), "postgresql")
    .with_variant(sa.String(40, collation="utf8mb4_nopad_bin"), "mysql", "mariadb")
)
status = sa.Enum(Status, native_enum=False, values_callable=lambda kind: [member.value for member in kind])

users = sa.Table(
    "users",
    shop.metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("name", text, nullable=False),
    sa.Column("age", sa.Integer, nullable=False),
    sa.Column("banned", sa.Boolean, nullable=False),
    sa.Column("status", status, nullable=False),
    sa.Column("born", sa.Date, nullable=False),
    sa.Column("balance", sa.Numeric(12, 2), nullable=False),
    sa.Column("token", sa.Uuid, nullable=False),
    sa.Column("nick", text),
    sa.Column("score", sa.Integer),
    sa.Column("vip", sa.Boolean),
    # Of no collation in particular: the rules must be right without one, too.
    sa.Column("city", sa.String(40), nullable=False),
    sa.Column("zip", sa.String(40)),
    sa.Column("billing_city", sa.String(40)),
    sa.Column("billing_zip", sa.String(40)),
)
lines = sa.Table(
    "lines",
    shop.metadata,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("user_id", sa.ForeignKey("users.id"), nullable=False),
    sa.Column("sku", text, nullable=False),
    sa.Column("qty", sa.Integer, nullable=False),
    sa.Column("price", sa.Numeric(12, 2), nullable=False),
    sa.Column("note", text),
)
shop.map_imperatively(Line, lines)
shop.map_imperatively(
    User,
    users,
    properties={
        "_city": users.c.city,
        "_zip": users.c.zip,
        "address": composite(Address, "_city", "_zip"),
        "_billing_city": users.c.billing_city,
        "_billing_zip": users.c.billing_zip,
        "billing": composite(Address, "_billing_city", "_billing_zip", return_none_on=lambda city, _: city is None),
        "lines": relationship(Line, order_by=lines.c.id, cascade="all, delete-orphan", lazy="selectin"),
    },
)
configure_mappers()
