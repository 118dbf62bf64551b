"""LiveKit's signalling protocol, server side."""
