"""Tables of the inference app."""

from inference.jobs.models import Job, JobChunk, JobFile, JobState

__all__ = ["Job", "JobChunk", "JobFile", "JobState"]
