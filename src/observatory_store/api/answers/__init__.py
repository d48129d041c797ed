"""The JSON that the service answers with, one module for each kind of row.

A field's docstring is its description in ``/openapi.json``.
"""
