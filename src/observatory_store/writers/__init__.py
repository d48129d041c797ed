"""Storing rows: one transaction a batch, each row once however often it is sent."""

from observatory_store.writers.group import GroupCommit
from observatory_store.writers.limits import Limits
from observatory_store.writers.signals import Writers
from observatory_store.writers.submission import Submission, Written

__all__ = ["GroupCommit", "Limits", "Submission", "Writers", "Written"]
