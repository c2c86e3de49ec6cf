"""What in a mapping cannot be served truthfully, found before anything is stored."""

from .report import findings as findings
