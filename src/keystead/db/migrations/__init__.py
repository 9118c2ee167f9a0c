"""The revisions of the schema, applied by ``db/schema.py``."""
