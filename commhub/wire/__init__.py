"""Codecs of bytes: no I/O, no clock. What cannot be read raises ``ValueError`` with one exact sentence, nothing else."""
