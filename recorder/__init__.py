"""The recorder: every track of a consultation in its own crash-safe file, with a journal."""
