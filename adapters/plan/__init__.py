"""What follows from a mapping, as plain facts that the engine and both stores work from."""
