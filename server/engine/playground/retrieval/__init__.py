"""How what a pipeline has to a query is found."""
