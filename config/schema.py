"""One OpenAPI document for both planes."""

from typing import Any

from inference.http.classic import ClassicDialect
from inference.http.classic_summaries import Summaries
from inference.http.endpoints import Endpoint
from inference.http.huggingface import HuggingFaceDialect
from inference.http.native import NativeDialect
from inference.http.oip import OipDialect
from inference.http.openai import OpenAIDialect
from inference.http.openai_text import OpenAIText
from inference.http.openapi import describe
from inference.http.operations import Operations
from inference.http.tokenizing import Tokenizing
from inference.jobs import job_schema
from registry.api import archive_schema


def add_inference_plane(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the inference plane's paths: a drf-spectacular postprocessing hook."""
    paths, schemas = describe(documented_endpoints())
    beside = {**archive_schema.PATHS, **job_schema.PATHS}
    for path, operations in [*paths.items(), *beside.items()]:
        result["paths"].setdefault(path, {}).update(operations)
    result["components"].setdefault("schemas", {}).update(schemas)
    return result


def documented_endpoints() -> list[Endpoint[Any]]:
    """Return the inference plane's endpoints, to read about: none of their handlers can run."""
    absent: Any = None
    return [
        *NativeDialect(absent, absent).endpoints(),
        *Tokenizing(absent, absent).endpoints(),
        *ClassicDialect(absent, absent, absent, "").endpoints(),
        *Summaries(absent, absent, "").endpoints(),
        *HuggingFaceDialect(absent, absent).endpoints(),
        *OipDialect(absent, absent, absent, absent).endpoints(),
        *OpenAIText(absent, absent).endpoints(),
        *OpenAIDialect(absent, absent).endpoints(),
        *Operations(
            absent, absent, model="", metrics_open=False, before_scrape=lambda: None
        ).endpoints(),
    ]
