"""Runs a Python application behind Portico: a warm parent that forks workers, and the worker."""
