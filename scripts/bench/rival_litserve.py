#!/usr/bin/env python3
"""A scoring server as one writes it with LitServe, PyAV and ONNX Runtime.

LitServe's own way to use several cores: a worker process a core, each with a session of one thread.
"""

import argparse
import os
import tempfile

import litserve
import rival


class Scoring(litserve.LitAPI):
    def __init__(self, arguments, threads):
        super().__init__(api_path="/v1/score")
        self.arguments, self.threads = arguments, threads

    def setup(self, device):
        self.scorer = rival.Scorer(self.arguments, self.threads)

    def decode_request(self, request):
        return request["file"].file.read()

    def predict(self, content):
        with tempfile.NamedTemporaryFile(suffix=".mp4") as spooled:
            spooled.write(content)
            spooled.flush()
            return self.scorer.score(spooled.name)

    def encode_response(self, output):
        return output


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    rival.add_arguments(parser)
    arguments = parser.parse_args()
    server = litserve.LitServer(Scoring(arguments, 1), accelerator="cpu", workers_per_device=os.cpu_count(),
                                timeout=600, healthcheck_path="/healthz")
    server.run(host="127.0.0.1", port=arguments.port, num_api_servers=1, log_level="warning",
               generate_client_file=False)


if __name__ == "__main__":
    main()
