"""Mapped objects as they are in memory: how they are made, whose members they are, what they may hold."""
