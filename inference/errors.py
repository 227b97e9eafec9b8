"""What can go wrong between a request and its answer.

request bytes → request → text → entry → batch → answer

InferenceError
├── RequestError             the caller can mend it
│   ├── InvalidJson          bytes that are not JSON or not UTF-8
│   ├── InvalidRequest       JSON of the wrong shape; `details.field` names the place
│   ├── UnknownParameter     a parameter this task does not have
│   ├── InvalidText          a text that is empty or holds NUL
│   ├── TextTooLong          one text over the limit
│   ├── TooManyInputs        more texts than one request may hold
│   ├── BodyTooLarge         more bytes than one request may hold
│   ├── BodyTooSlow          a body that did not arrive in time
│   ├── NotFound             no such path
│   ├── HostNotAllowed       a Host header that this server does not answer to
│   ├── MethodNotAllowed     the path is right, the method is not
│   ├── UnsupportedMediaType a body of a kind that is not read here
│   ├── PathNotAccepted      a server path where a registered name belongs
│   ├── JobNotFound          no such job
│   ├── JobConflict          the job's state does not allow this
│   ├── JobFileRefused       a file that is not what it should be, or may not be
│   ├── JobFormatUnavailable a format whose package is not installed
│   └── VersionNotLoaded     the version asked for by pin is not in memory here
├── Unavailable              the server's state; trying again can help
│   ├── QueueFull            refused at the door; `retry_after_s` is the predicted wait
│   ├── DeadlineExceeded     the answer could not be ready in time
│   ├── ModelNotReady        the model is registered, its version is not loaded (yet)
│   ├── LaneFailed           the thread that ran the batch died; it restarts
│   ├── RemoteUnavailable    a remote version's endpoint does not answer, or not yet
│   └── ShuttingDown         the process is draining
├── RemoteFailed             a remote version's endpoint answers, and not with predictions
│   ├── RemoteRefused        it refuses the server: its address, its state or the token
│   └── RemoteInvalidAnswer  its answer is not what the version promises
├── InputFailed              the forward pass fails on this input, alone
├── JobDiskFull              no room for a job's files
├── JobFilesLost             a job's files are missing or damaged
├── JobGaveUp                a job during which the server stopped too often
├── InternalError            a bug: the caller sees a request id, the log has the rest
└── RequestCancelled         the client hung up (seen in logs and metrics only)
"""

from typing import TYPE_CHECKING, Self

from access.errors import BellwetherError

if TYPE_CHECKING:
    from registry.specs import VersionSpec


class InferenceError(BellwetherError):
    """Any expected failure of the inference plane.

    `chosen` is the version that was to answer, where one had been chosen.
    """

    chosen: "VersionSpec | None" = None


class RequestError(InferenceError):
    """The caller can mend it."""


class InvalidJson(RequestError):
    code = "invalid_json"


class InvalidRequest(RequestError):
    code = "invalid_request"


class UnknownParameter(RequestError):
    code = "unknown_parameter"


class InvalidText(RequestError):
    code = "invalid_text"


class TextTooLong(RequestError):
    code = "text_too_long"


class TooManyInputs(RequestError):
    code = "too_many_inputs"


class BodyTooLarge(RequestError):
    code = "body_too_large"


class BodyTooSlow(RequestError):
    code = "body_too_slow"


class NotFound(RequestError):
    code = "not_found"


class HostNotAllowed(RequestError):
    code = "host_not_allowed"


class MethodNotAllowed(RequestError):
    code = "method_not_allowed"


class UnsupportedMediaType(RequestError):
    code = "unsupported_media_type"


class PathNotAccepted(RequestError):
    code = "path_not_accepted"


class JobNotFound(RequestError):
    code = "job_not_found"


class JobConflict(RequestError):
    code = "job_conflict"


class JobFileRefused(RequestError):
    code = "job_file_refused"


class JobFormatUnavailable(RequestError):
    code = "job_format_unavailable"


class VersionNotLoaded(RequestError):
    code = "version_not_loaded"


class Unavailable(InferenceError):
    """The server's state; trying again can help."""


class QueueFull(Unavailable):
    code = "queue_full"


class DeadlineExceeded(Unavailable):
    code = "deadline_exceeded"


class ModelNotReady(Unavailable):
    code = "model_not_ready"


class LaneFailed(Unavailable):
    code = "lane_failed"


class RemoteUnavailable(Unavailable):
    code = "remote_unavailable"


class ShuttingDown(Unavailable):
    code = "shutting_down"


class RemoteFailed(InferenceError):
    """A remote version's endpoint answers, and not with predictions."""


class RemoteRefused(RemoteFailed):
    code = "remote_refused"


class RemoteInvalidAnswer(RemoteFailed):
    code = "remote_invalid_answer"


class InputFailed(InferenceError):
    code = "input_failed"


class RequestCancelled(InferenceError):
    code = "request_cancelled"


class JobDiskFull(InferenceError):
    code = "job_disk_full"


class JobFilesLost(InferenceError):
    code = "job_files_lost"


class JobGaveUp(InferenceError):
    code = "job_gave_up"


class InternalError(InferenceError):
    code = "internal_error"

    @classmethod
    def during(cls, request_id: str) -> Self:
        """Return what a caller sees of a bug."""
        return cls(
            "Something went wrong on our side. Quote the request id when you report it.",
            details={"request_id": request_id},
        )
