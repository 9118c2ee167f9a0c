"""The script templates in front of real databases, and scripts as people have them from Auth0."""
