"""The operations, one file per resource; each file's `router` is included by `api.main`."""
