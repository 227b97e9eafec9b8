"""Tables of the inference app."""

from inference.jobs.models import Job, JobChunk, JobState

__all__ = ["Job", "JobChunk", "JobState"]
