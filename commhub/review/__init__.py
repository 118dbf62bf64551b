"""Looking into recordings, finished ones and those that still run: lanes of what happened, marks, words to be found, pictures and
curves for the seek bar, and who looked at what. All of it is under one right: who may not view a recording gets nothing of it."""

from commhub.review.reviewing import Reviewing

__all__ = ["Reviewing"]
