"""The benchmark, in its smallest form."""
