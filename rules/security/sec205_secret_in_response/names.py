"""Names of secrets: those that are stored, and those that a client is meant to get."""

from __future__ import annotations

import re

ISSUED = re.compile(r"token|jwt|otp|csrf|nonce|state|ticket|recovery|backup|client_secret", re.IGNORECASE)
ISSUING = re.compile(
    r"create|issue|generate|rotate|refresh|log_?in|sign_?(in|up)|register|auth|token|reset|regenerate|new_|mint|enroll|setup|export|exchange|otp|mfa|2fa",
    re.IGNORECASE,
)
STORED = re.compile(
    r"(hashed_?password|(password|passcode|pin)_?(hash|digest)|secret_?(key|hash)|private_?key|(webhook|signing)_?secret|(reset|session|refresh|access|api|verification|invite)_?token_?hash|(totp|otp|mfa|2fa)_?secret)$",
    re.IGNORECASE,
)
PASSWORD_HASH = re.compile(r"(hashed_?password|(password|passcode|pin)_?(hash|digest)|secret_?hash)$", re.IGNORECASE)
