"""Clients that others wrote, as they are, against a running server: Auth0's SDKs, Authlib and openid-client."""
