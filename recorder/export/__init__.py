"""What is taken out of recordings: films, tracks, evidence bundles.

Made by a process of its own: ``python -m recorder.export``.
"""
