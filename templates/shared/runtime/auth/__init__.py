"""Access control by bearer tokens (RFC 6750) from one OpenID Connect issuer."""
