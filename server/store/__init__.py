"""Everything that touches MongoDB; the only package that imports motor, pymongo and bson."""

from server.store.database import Store, connect

__all__ = ["Store", "connect"]
