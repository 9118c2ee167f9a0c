"""The Management API v2: one file per resource."""
