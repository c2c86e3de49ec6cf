"""The collection of one kind of aggregate, on top of the engine."""
