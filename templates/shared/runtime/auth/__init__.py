"""Who may call: bearer tokens (RFC 6750) of one OpenID Connect issuer."""
