"""What clients do: the authorization server."""
