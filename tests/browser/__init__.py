"""Real Chromium against a real server: the journeys that people make. A package, so that the browser ends with it."""

import pytest

ON_SQLITE = pytest.mark.parametrize("installation", ["sqlite"], indirect=True)
"""For what has nothing to do with the database, or only what another journey shows on both."""
