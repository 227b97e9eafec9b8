"""The design of many a blog post: FastAPI, a model in a global, one forward pass a request.

    BLOG_MODEL=DIR uvicorn benchmarks.peers.blog:app

`def` endpoints run in Starlette's pool of 40 threads; torch keeps its default threads; uvicorn its
defaults, access log included. Nothing is batched, recorded or authorised. `BLOG_DESIGN=pipeline`
calls `transformers.pipeline` instead of tokenizer and model by hand.
"""

import os
from typing import Any

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

MODEL = os.environ["BLOG_MODEL"]
DESIGN = os.environ.get("BLOG_DESIGN", "forward")

app = FastAPI(title="Sentiment")
tokenizer: Any = AutoTokenizer.from_pretrained(MODEL)
model: Any = AutoModelForSequenceClassification.from_pretrained(MODEL).eval()
classifier: Any = pipeline("text-classification", model=model, tokenizer=tokenizer)


class SentimentRequest(BaseModel):
    text: str


class SentimentResponse(BaseModel):
    label: str
    score: float


@app.get("/health")
def health() -> dict[str, str]:
    return {"status": "healthy"}


@app.post("/sentiment")
def sentiment(request: SentimentRequest) -> SentimentResponse:
    if DESIGN == "pipeline":
        answer = classifier(request.text, truncation=True)[0]
        return SentimentResponse(label=answer["label"], score=answer["score"])
    inputs = tokenizer(request.text, return_tensors="pt", truncation=True)
    with torch.no_grad():
        scores = model(**inputs).logits.softmax(dim=-1)[0]
    best = int(scores.argmax())
    return SentimentResponse(label=model.config.id2label[best], score=float(scores[best]))
