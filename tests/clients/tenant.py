"""A tenant of a running server, made through the API."""

import secrets

import httpx

from server import Server


class Tenant:
    """A workspace of its own. `api` calls with an API key that may do everything."""

    def __init__(self, server: Server):
        platform = httpx.Client(
            base_url=server.url, timeout=30, headers={"api_access_token": server.settings["platform_token"]}
        )
        email, password = f"{secrets.token_hex(8)}@example.com", f"Pass-{secrets.token_hex(12)}"
        account = _made(platform.post("/platform/api/v1/accounts", json={"name": "Clients"}))
        user = {"name": "Olga", "email": email, "password": password}
        user = _made(platform.post("/platform/api/v1/users", json=user))
        member = {"user_id": user["id"], "role": "administrator"}
        _made(platform.post(f"/platform/api/v1/accounts/{account['id']}/account_users", json=member))
        session = _made(platform.post("/v1/auth/sessions", json={"email": email, "password": password}))
        self.id = session["tenantId"]
        owner = _client(server, session["token"])
        service = _made(owner.post("/v1/service-accounts", json={"name": "clients"}))
        key = _made(owner.post(f"/v1/service-accounts/{service['id']}/api-keys", json={"name": "clients"}))
        self.api = _client(server, key["plaintextKey"])

    def call(self, method: str, path: str, body: dict | None = None) -> dict:
        """The answer's body, once it is a success."""
        return _made(self.api.request(method, path, json=body))

    def pass_time(self, seconds: int) -> None:
        """Time passes for this tenant only."""
        self.call("POST", "/sandbox/clock", {"tenantId": self.id, "advanceSeconds": seconds})


def _client(server: Server, token: str) -> httpx.Client:
    return httpx.Client(base_url=server.url, timeout=30, headers={"authorization": f"Bearer {token}"})


def _made(answer: httpx.Response) -> dict:
    assert answer.is_success, f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else {}
