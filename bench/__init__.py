"""The benchmark: what a request costs, as a ratio to a bare COPY of the same rows."""
