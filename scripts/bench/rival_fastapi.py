#!/usr/bin/env python3
"""A scoring server as one writes it with FastAPI, PyAV and ONNX Runtime.

One session for all requests, which ONNX Runtime allows; the endpoint is synchronous, so that FastAPI runs it in
its pool of threads and the event loop stays free.
"""

import argparse
import shutil
import tempfile

import rival
import uvicorn
from fastapi import FastAPI, UploadFile


def application(scorer):
    app = FastAPI()

    @app.get("/healthz")
    def healthz():
        return {"status": "alive"}

    @app.post("/v1/score")
    def score(file: UploadFile):
        with tempfile.NamedTemporaryFile(suffix=".mp4") as spooled:
            shutil.copyfileobj(file.file, spooled)
            spooled.flush()
            return scorer.score(spooled.name)

    return app


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    rival.add_arguments(parser)
    arguments = parser.parse_args()
    app = application(rival.Scorer(arguments))
    uvicorn.run(app, host="127.0.0.1", port=arguments.port, log_level="warning")


if __name__ == "__main__":
    main()
