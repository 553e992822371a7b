"""The commands of `python -m server`; with __main__ the only package that imports the application."""
