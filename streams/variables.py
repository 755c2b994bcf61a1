"""What variables of several rooms have in common: their bounds, and what is said of them."""

from __future__ import annotations

# RFC 6749, scope. The scopes go into a form; a token server answers 400 to other characters.
SCOPES = r"^[\x21\x23-\x5B\x5D-\x7E]+( +[\x21\x23-\x5B\x5D-\x7E]+)*$"

# No name, path, password or scope is longer: what is longer was pasted there by mistake.
LONGEST = 1024

SCOPES_TEXT = "OAuth scopes separated by blanks, at most 1024 characters"

# What a header takes, in words; ``Settings`` checks it.
HEADER_TEXT = "1 to 1024 printable ASCII characters"

# In seconds. A larger value is a typing error, and would overflow later calculations.
HOUR, DAY = 3600, 86_400
