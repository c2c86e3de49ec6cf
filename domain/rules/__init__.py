"""Rules: business conditions as plain Python functions, and as queries."""

from .rule import Rule as Rule, all_of as all_of, any_of as any_of, negate as negate, rule as rule
from .trace import trace as trace
