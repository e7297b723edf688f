"""Places in texts for the `%` operator (Python's library reference, printf-style string formatting)."""

from __future__ import annotations

import re

PERCENT = re.compile(
    r"%(?:\((?P<key>[^)]*)\))?(?P<spec>[#0\- +]*(?:\*|\d+)?(?:\.(?:\*|\d+))?[hlL]?[diouxXeEfFgGcrsab%])"
)
"""`key` where it names one; `spec` ends with the conversion."""
