"""Field tables of the request bodies."""
