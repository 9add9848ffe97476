"""Hides uvloop, where a test is about asyncio's own loop."""
raise ImportError("hidden by a test")
