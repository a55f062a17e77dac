"""Webhook receivers as integrators write them: one in Python, one on node. Both keep what comes and verify it with
the official Standard Webhooks library of their language, and ed25519 with a library that is not ours.
"""

import base64
import http.server
import json
import os
import pathlib
import subprocess
import threading

import httpx
import standardwebhooks
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

HERE = pathlib.Path(__file__).resolve().parent


class PythonReceiver:
    """Answers with the next status of the plan, or 204 without one."""

    name = "Python"

    def __init__(self):
        self.kept: list[tuple[dict, bytes]] = []
        self.statuses: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.kept.append((dict(self.headers), body))
                self.send_response(receiver.statuses.pop(0) if receiver.statuses else 204)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def plan(self, *statuses: int) -> None:
        self.statuses = list(statuses)

    def verify(self, secrets=(), public_keys=(), alter: bool = False) -> list[dict]:
        """All deliveries: `headers`, `event`, and under `v1` and `v1a` what each key says of it."""
        return [self._verify(headers, body, secrets, public_keys, alter) for headers, body in list(self.kept)]

    def _verify(self, headers: dict, body: bytes, secrets, public_keys, alter: bool) -> dict:
        seen = body[:-2] + bytes([body[-2] ^ 1]) + body[-1:] if alter else body
        return {
            "headers": {name.lower(): value for name, value in headers.items()},
            "event": json.loads(body),
            "v1": [symmetric(secret, headers, seen) for secret in secrets],
            "v1a": [asymmetric(key, headers, seen) for key in public_keys],
        }

    def stop(self) -> None:
        self.server.shutdown()


class NodeReceiver:
    """webhook_receiver.cjs. The folder of its libraries is `FLOWNALLY_NODE_MODULES`."""

    name = "JavaScript"

    def __init__(self):
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": os.environ["FLOWNALLY_NODE_MODULES"]}
        command = ["node", str(HERE / "webhook_receiver.cjs")]
        self.process = subprocess.Popen(
            command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        base = self.process.stdout.readline().strip()
        if not base:
            raise RuntimeError("node did not start")
        self.url = f"{base}/hooks"
        self.http = httpx.Client(base_url=base, timeout=30)

    def plan(self, *statuses: int) -> None:
        self._ask("/plan", list(statuses))

    def verify(self, secrets=(), public_keys=(), alter: bool = False) -> list[dict]:
        """As `PythonReceiver.verify`."""
        question = {"secrets": list(secrets), "publicKeys": list(public_keys), "alter": alter}
        return self._ask("/verify", question)

    def _ask(self, path: str, body):
        answer = self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def stop(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def symmetric(secret: str, headers: dict, body: bytes) -> bool:
    """What the official library says of `v1`."""
    try:
        standardwebhooks.Webhook(secret).verify(body, headers, json_parse=False)
    except standardwebhooks.WebhookVerificationError:
        return False
    return True


def asymmetric(public_key: str, headers: dict, body: bytes) -> bool:
    """What `cryptography` says of `v1a`: ed25519 over `id.timestamp.body`; the official library knows none."""
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public_key.removeprefix("whpk_"), validate=True))
    for one in lower["webhook-signature"].split(" "):
        version, signature = one.split(",")
        if version != "v1a":
            continue
        try:
            key.verify(base64.b64decode(signature, validate=True), signed)
            return True
        except InvalidSignature:
            pass
    return False
