"""What names say of money."""

from __future__ import annotations

from collections.abc import Iterable

from backendlint.api import identifier_words

MONEY = frozenset(
    "price prices amount cost costs balance fee fees salary wage revenue subtotal refund payout tax surcharge surcharges cents "
    "deposit deposits expense expenses".split()
)
AMBIGUOUS = frozenset(["total", "discount", "payment", "paid", "due"])
CONTEXT = frozenset(
    "order invoice cart basket payment checkout bill receipt sale purchase transaction refund product item".split()
)
CHARGED = frozenset(
    "standing delivery service shipping handling extra additional minimum base fixed late booking cancellation convenience daily monthly "
    "yearly bank finance".split()
)
"""Before `charge`: `delivery_charge`, but not `battery_charge`."""
LEDGERS = frozenset(
    "account accounts ledger wallet bank billing charge charges transfer payments orders invoices payout payouts withdrawal withdrawals "
    "donation donations".split()
)
NOT_MONEY = frozenset(
    "count rate ratio percent percentage pct score seconds ms time factor weight usage type id name code date at limit "
    "priority tokens bytes class category function index threshold alert change growth multiplier per share pts points average "
    "gas gwei wei".split()
)
COSTS = frozenset(["cost", "costs"])
PRICES = frozenset(["price", "prices", "fee", "fees"])
MEASURES = frozenset(
    "kg g gram kilo kilogram ton tonne l liter litre m meter metre km piece unit night day week month year hour person seat".split()
)
"""By what goods and stays are sold."""
DAILY = ("daily", "rate")
PAY = (("hourly", "rate"), ("nightly", "rate"))
"""Rates that are paid; a `monthly_rate` is one of interest."""
HIRED = frozenset(
    "vehicle car truck van bike boat room rental hire booking employee worker contractor freelancer consultant equipment tool".split()
)
"""What a `daily_rate` is paid for; others are how much of something a day brings."""


def is_money(name: str, owner: str) -> bool:
    """Whether a field or variable of that name holds an amount of money; the owner is its class or table."""
    parts = identifier_words(name)
    other = NOT_MONEY.intersection(parts)
    if other == {"rate"} and (
        parts[-2:] in PAY or (parts[-2:] == DAILY and HIRED.intersection(identifier_words(owner)))
    ):
        return True
    if not parts or (other and not (other == {"per"} and _of_goods(parts))):
        return False
    if "token" in parts and COSTS.intersection(parts):
        return False  # `input_token_cost`: a rate with many digits
    if MONEY.intersection(parts) or (parts[-1] in ("charge", "charges") and CHARGED.intersection(parts[:-1])):
        return True
    return bool(AMBIGUOUS.intersection(parts[-1:]) and CONTEXT.intersection(identifier_words(owner)))


def _of_goods(parts: tuple[str, ...]) -> bool:
    """`price_per_kg`, `price_per_night`: of what is sold by that measure; `price_per_token` is a rate with many digits."""
    measure = parts[parts.index("per") + 1 :]
    return bool(PRICES.intersection(parts)) and len(measure) == 1 and measure[0] in MEASURES


def words_of(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in identifier_words(name)}
