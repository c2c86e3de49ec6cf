"""A box office, where each seat is sold once: an aggregate with children, a value object and a version."""
