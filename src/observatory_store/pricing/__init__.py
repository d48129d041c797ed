"""What a call of a model costs, in US dollars.

Pure: no database, no clock, no network.
"""

from observatory_store.pricing.bundled import GenAIPrices
from observatory_store.pricing.pricer import Price, Pricer, Usage

__all__ = ["GenAIPrices", "Price", "Pricer", "Usage"]
