"""A stand-in for an identity provider: it publishes signing keys, mints tokens, and misbehaves on request.

Protocol: what Clerk serves at ``/.well-known/jwks.json``, ``/v1/jwks`` and its metadata, and any OIDC issuer likewise.
It says what it is in the ``Server`` header of every answer. Its tokens open nothing but a sandbox.
"""
