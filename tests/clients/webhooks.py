"""Has the platform deliver webhooks to receivers in Python and JavaScript, which verify them with the official Standard
Webhooks libraries of their languages.

Prints what it checked; ends with 1 when a signature is not as the libraries expect.
"""

import base64
import signal
import sys
import time
import traceback

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import Server
from tenant import Tenant
from webhook_receivers import NodeReceiver, PythonReceiver

WAIT_SECONDS = 20
# From each attempt to the next, in seconds, and how much later it may be.
SCHEDULE = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
LATEST = 1.2
# What breaks those who sign or verify text instead of bytes.
NAME = 'Zoë "Z" \\ 王伟 🙂 </script> \u2028'
WRONG = "whsec_" + base64.b64encode(bytes(range(32))).decode()

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class World:
    """A receiver, and a tenant whose events go there."""

    def __init__(self, server: Server, receiver):
        self.receiver = receiver
        self.tenant = Tenant(server)
        settings = {"enabled": True, "url": receiver.url, "eventTypes": ["contact.created"]}
        self.tenant.call("PATCH", "/v1/webhooks", settings)
        self.seen = len(receiver.verify())
        (key,) = self.keys()
        self.secret = key["plaintextKey"]

    def keys(self) -> list[dict]:
        return self.tenant.call("GET", "/v1/webhooks/signing-keys")["signingKeys"]

    def rotate(self) -> str:
        return self.tenant.call("POST", "/v1/webhooks/signing-keys/rotate", {})["signingKey"]["plaintextKey"]

    def happen(self) -> None:
        """An event."""
        self.tenant.call("POST", "/v1/contacts", {"name": NAME})

    def deliveries(self, secrets=(), public_keys=(), alter: bool = False) -> list[dict]:
        return self.receiver.verify(secrets, public_keys, alter)[self.seen :]

    def wait(self, count: int) -> None:
        """Until so many deliveries have come."""
        end = time.monotonic() + WAIT_SECONDS
        while len(self.deliveries()) < count:
            assert time.monotonic() < end, f"{len(self.deliveries())} of {count} deliveries in {WAIT_SECONDS} s"
            time.sleep(0.05)

    def wait_until_noted(self, number: int) -> None:
        """Until the log of attempts tells how the attempt of this number went."""
        end = time.monotonic() + WAIT_SECONDS
        while True:
            attempts = self.tenant.call("GET", "/v1/webhooks/attempts")["attempts"]
            if any(one["attemptNumber"] == number and one["status"] != "pending" for one in attempts):
                return
            assert time.monotonic() < end, f"attempt {number} has no outcome: {attempts}"
            time.sleep(0.05)


@check
def the_first_try_verifies(world: World):
    world.happen()
    world.wait(1)
    (delivery,) = world.deliveries([world.secret, WRONG])
    assert delivery["v1"] == [True, False], delivery
    assert delivery["event"]["data"]["contact"]["name"] == NAME, delivery
    assert delivery["event"]["id"] == delivery["headers"]["webhook-id"], delivery
    (altered,) = world.deliveries([world.secret], alter=True)
    assert altered["v1"] == [False], altered


@check
def each_retry_verifies(world: World):
    attempts = len(SCHEDULE) + 1
    world.receiver.plan(*[500] * (attempts - 1))
    world.happen()
    for number, gap in enumerate(SCHEDULE, 1):
        world.wait(number)
        # Time passes only once its outcome is noted: before, the next one is not there.
        world.wait_until_noted(number)
        world.tenant.pass_time(int(gap * LATEST) + 1)
    world.wait(attempts)
    deliveries = world.deliveries([world.secret])
    assert [delivery["v1"] for delivery in deliveries] == [[True]] * attempts, deliveries
    assert len({delivery["headers"]["webhook-id"] for delivery in deliveries}) == 1, deliveries


@check
def both_keys_of_a_rotation_verify(world: World):
    second = world.rotate()
    world.happen()
    world.wait(1)
    third = world.rotate()
    world.happen()
    world.wait(2)
    during, after = world.deliveries([world.secret, second, third])
    assert during["v1"] == [True, True, False], during
    assert after["v1"] == [False, True, True], after
    for delivery in (during, after):
        assert len(delivery["headers"]["webhook-signature"].split(" ")) == 2, delivery


@check
def a_retry_after_a_rotation_verifies_with_both_keys(world: World):
    world.receiver.plan(500)
    world.happen()
    world.wait(1)
    second = world.rotate()
    world.wait(2)
    first, retry = world.deliveries([world.secret, second])
    assert (first["v1"], retry["v1"]) == ([True, False], [True, True]), (first, retry)


@check
def ed25519_vectors_verify(world: World):
    """Both receivers' own check of `v1a`, against what a third library signed."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    public = "whpk_" + base64.b64encode(private.public_key().public_bytes_raw()).decode()
    other = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
    other = "whpk_" + base64.b64encode(other).decode()
    now, body = int(time.time()), f'{{"name":"{NAME[:4]}"}}'.encode()
    signed = b"evt_1." + str(now).encode() + b"." + body
    signature = "v1a," + base64.b64encode(private.sign(signed)).decode()
    headers = {"webhook-id": "evt_1", "webhook-timestamp": str(now), "webhook-signature": f"v1,AAAA {signature}"}
    httpx.post(world.receiver.url, content=body, headers=headers)
    (delivery,) = world.deliveries([world.secret], [public, other])
    assert (delivery["v1"], delivery["v1a"]) == ([False], [True, False]), delivery
    (altered,) = world.deliveries([], [public], alter=True)
    assert altered["v1a"] == [False], altered


@check
def ed25519_signatures_verify_beside_the_others(world: World):
    world.tenant.call("PATCH", "/v1/webhooks", {"signatureSchemes": ["v1", "v1a"]})
    (key,) = world.keys()
    world.receiver.plan(500)
    world.happen()
    world.wait(1)
    second = world.rotate()
    world.wait(2)
    public = {key["version"]: key["publicKey"] for key in world.keys()}
    assert public[1] == key["publicKey"], (public, key)
    first, retry = world.deliveries([world.secret, second], [public[1], public[2]])
    assert (first["v1"], first["v1a"]) == ([True, False], [True, False]), first
    assert (retry["v1"], retry["v1a"]) == ([True, True], [True, True]), retry
    for altered in world.deliveries([world.secret], [public[1]], alter=True):
        assert (altered["v1"], altered["v1a"]) == ([False], [False]), altered


@check
def without_the_wish_there_is_no_ed25519(world: World):
    world.happen()
    world.wait(1)
    (delivery,) = world.deliveries()
    assert "v1a," not in delivery["headers"]["webhook-signature"], delivery


def run(server: Server, receiver) -> int:
    """All checks against a receiver; how many failed."""
    failed = 0
    for function in CHECKS:
        name = f"{receiver.name}: {function.__name__.replace('_', ' ')}"
        try:
            receiver.plan()
            function(World(server, receiver))
            print(f"ok      {name}", flush=True)
        except Exception:
            failed += 1
            print(f"FAILED  {name}\n{traceback.format_exc(limit=-3)}", flush=True)
    return failed


def main() -> int:
    # Also then the server is stopped below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    receivers, failed = [PythonReceiver(), NodeReceiver()], 0
    server = Server()
    try:
        failed = sum(run(server, receiver) for receiver in receivers)
        if failed:
            print(server.log.read_text(errors="replace")[-3000:], file=sys.stderr)
    finally:
        server.stop()
        for receiver in receivers:
            receiver.stop()
    total = len(CHECKS) * len(receivers)
    print(f"{total - failed} of {total} checks with standardwebhooks for Python and JavaScript passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
