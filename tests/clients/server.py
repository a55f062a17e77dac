"""Starts the server on a free port with an empty data folder, and stops it."""

import os
import pathlib
import queue
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Compiling all components takes this long at most, on a busy machine without their cache.
START_SECONDS = 300
STOP_SECONDS = 15


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Server:
    """A running server. `variables` are those of `spin.toml`."""

    def __init__(self, **variables: str):
        host, components = os.environ["FLOWNALLY_HOST_BIN"], os.environ["FLOWNALLY_COMPONENTS"]
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="flownally-clients-"))
        address = f"127.0.0.1:{free_port()}"
        self.url = f"http://{address}"
        self.settings = {
            "platform_token": secrets.token_hex(24),
            "tick_token": secrets.token_hex(24),
            "jwt_secret": secrets.token_hex(24),
            "encryption_key": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "public_url": self.url,
            "tick_authority": address,
            "sandbox": "on",
        } | variables
        environment = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
        for name, value in self.settings.items():
            environment[f"SPIN_VARIABLE_{name.upper()}"] = value
        self.log = self.data / "log"
        command = [host, "--from", str(ROOT / "spin.toml"), "--listen", address]
        command += ["--data", str(self.data), "--components", components]
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        lines: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()
        try:
            if not lines.get(timeout=START_SECONDS):
                raise RuntimeError("the server ended")
        except Exception as error:
            end = self.log.read_text(errors="replace")[-3000:]
            self.stop()
            raise RuntimeError(f"the server did not start ({error}):\n{end}") from error

    def _read(self, lines: queue.Queue) -> None:
        for line in self.process.stdout:
            if line.startswith("listening on "):
                lines.put(True)
        lines.put(False)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.data, ignore_errors=True)
