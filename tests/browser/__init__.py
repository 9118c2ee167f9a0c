"""Real Chromium against a real server: the journeys that people make. A package, so that the browser ends with it."""
