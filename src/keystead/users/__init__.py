"""The user stores: where credentials and profiles live."""
