"""What a call of a model costs, in US dollars.

Pure: no database, no clock, no network.
"""

from observatory_store.pricing.book import DatabasePrices, PriceRow
from observatory_store.pricing.bundled import GenAIPrices
from observatory_store.pricing.choice import choose
from observatory_store.pricing.pricer import Price, Pricer, Usage
from observatory_store.pricing.tariff import Tariff
from observatory_store.settings import CostSource

__all__ = [
    "CostSource",
    "DatabasePrices",
    "GenAIPrices",
    "Price",
    "PriceRow",
    "Pricer",
    "Tariff",
    "Usage",
    "choose",
]
