"""Keystead: self-hosted authentication with passwords and passkeys, one policy per connection."""

__version__ = "0.1.0"
