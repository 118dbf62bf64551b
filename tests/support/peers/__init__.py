"""Unmodified LiveKit clients of every kind behind one face, and the servers they are tried against."""
