"""Applications that speak ASGI 3: many requests and WebSockets at a time in one event loop."""
