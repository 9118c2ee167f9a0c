"""Other people's machinery behind our own words."""
