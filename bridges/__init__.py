"""Foreign worlds as participants: each bridge is a Source, a Sink, or both."""
