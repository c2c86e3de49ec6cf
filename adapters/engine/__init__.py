"""The engine of a unit of work: identity map, flush, loading and savepoints, written once over the port of rows."""
