"""A webhook of a business, answered by pywa: its challenge, its signature check, its handlers."""

import http.server
import threading
import time
import urllib.parse

from pywa import utils

WAIT_SECONDS = 10


class Receiver:
    """Collects what arrives, as pywa understands it. Set `client` before anything is called back."""

    def __init__(self):
        self.client = None
        self.updates: list = []
        self.raw: list = []
        self.answers: list[int] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
                answer = receiver.client.webhook_challenge_handler(query.get(utils.HUB_VT), query.get(utils.HUB_CH))
                self.reply(*answer)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                refused = receiver.client.webhook_update_validator(body, self.headers.get(utils.HUB_SIG))
                self.reply(*(refused or receiver.client.webhook_update_handler(body)))

            def reply(self, text, status):
                receiver.answers.append(status)
                self.send_response(status)
                self.send_header("content-length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/webhook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def listen(self, client) -> None:
        """Takes everything that the client makes of updates."""
        self.client = client
        for register in (
            client.on_message,
            client.on_callback_button,
            client.on_callback_selection,
            client.on_message_status,
            client.on_edited_message,
            client.on_deleted_message,
            client.on_phone_number_change,
            client.on_template_status_update,
        ):
            register(lambda _, update: self.updates.append(update))
        client.on_raw_update(lambda _, update: self.raw.append(update))

    def wait(self, what: str, matches, raw: bool = False):
        """The first update that matches, of those that pywa made objects of, or of all as they came."""
        end = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < end:
            for update in list(self.raw if raw else self.updates):
                if matches(update):
                    return update
            time.sleep(0.02)
        last = [f"{type(update).__name__} {update.id}" for update in self.updates[-5:]]
        raise AssertionError(f"no {what} within {WAIT_SECONDS} s; the last were {last}")
