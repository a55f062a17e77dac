"""Drives the WhatsApp sandbox with the public client pywa, and receives its callbacks with it.

Prints what it checked; ends with 1 when something is not as the client expects.
"""

import logging
import signal
import sys
import traceback

import httpx
from pywa import WhatsApp, types
from pywa.errors import WhatsAppError
from pywa.types.message_status import MessageStatusType
from pywa.types.templates import BodyText, HeaderImage, QuickReplyButton, TemplateLanguage, URLButton

from receiver import Receiver
from server import Server

NUMBER = "310987654321001"
ACCOUNT = "290011223344556"
TOKEN = "client-access-token"
SECRET = "client-app-secret"
VERIFY_TOKEN = "client-verify-token"
PERSON = "12025550147"
# Every person has one; pywa reads no update without it.
PERSON_ID = "US.13491208655302741918"
# A PNG of one pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8cfc0f01f"
    "0005000101a5f645400000000049454e44ae426082"
)

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


class World:
    """The client, its webhook, and the sandbox's own operations."""

    def __init__(self, server: Server, receiver: Receiver):
        self.server, self.receiver = server, receiver
        self.client = self.new_client(TOKEN)
        receiver.listen(self.client)
        self.http = httpx.Client(base_url=server.url, timeout=30)

    def new_client(self, token: str) -> WhatsApp:
        client = WhatsApp(
            phone_id=NUMBER, token=token, waba_id=ACCOUNT, app_secret=SECRET, verify_token=VERIFY_TOKEN, api_version=25.0
        )
        # pywa has one host built in: the sandbox stands in its place, with the version in the path.
        client.api._session.base_url = f"{self.server.url}/sandbox/whatsapp/v25.0"
        return client

    def customer(self, **event) -> dict:
        """Plays the customer; gives the ids, and how the webhook answered."""
        body = {"account": NUMBER, "from": f"+{PERSON}", "name": "Mira Okafor", "userId": PERSON_ID} | event
        answer = self.http.post("/sandbox/whatsapp/inbound", json=body)
        assert answer.status_code == 200, answer.text
        played = answer.json()
        assert [one["status"] for one in played["deliveries"]] == [200], played
        return played

    def message(self, **event):
        """A message of the customer, as pywa reads it."""
        (message_id,) = self.customer(**event)["messageIds"]
        return self.receiver.wait("message", lambda update: getattr(update, "id", None) == message_id)

    def status(self, message_id: str, state: MessageStatusType):
        return self.receiver.wait(
            f"status {state.value}",
            lambda update: isinstance(update, types.MessageStatus)
            and (update.id, update.status) == (message_id, state),
        )

    def failure(self, message_id: str) -> int:
        """The code of the `failed` status of a message."""

        def failed(update):
            value = update["entry"][0]["changes"][0]["value"]
            return any(one["id"] == message_id and one["status"] == "failed" for one in value.get("statuses", []))

        update = self.receiver.wait("failed status", failed, raw=True)
        return update["entry"][0]["changes"][0]["value"]["statuses"][0]["errors"][0]["code"]

    def refused(self, call) -> WhatsAppError:
        try:
            call()
        except WhatsAppError as error:
            return error
        raise AssertionError("it was not refused")


@check
def the_webhook_takes_the_challenge(world: World):
    query = {"hub.mode": "subscribe", "hub.verify_token": VERIFY_TOKEN, "hub.challenge": "1158201444"}
    answer = httpx.get(f"{world.server.url}/channels/whatsapp", params=query)
    assert (answer.status_code, answer.text) == (200, "1158201444"), answer


@check
def customers_write_and_pywa_checks_the_signature(world: World):
    message = world.message(text="Hello, is the blue one in stock? café 🙂 a/b")
    assert message.text == "Hello, is the blue one in stock? café 🙂 a/b", message
    assert (message.from_user.wa_id, message.from_user.name) == (PERSON, "Mira Okafor"), message


@check
def a_wrong_signature_is_refused(world: World):
    for wrong in ({"signature": "sha256=00"}, {"signature": None}, {"otherSecret": True}, {"alter": True}):
        before = len(world.receiver.updates)
        body = {"body": '{"object":"whatsapp_business_account","entry":[]}'} | wrong
        answer = world.http.post("/sandbox/controls/whatsapp/raw-callbacks", json=body)
        assert answer.status_code == 200, answer.text
        assert world.receiver.answers[-1] in (401, 403), (wrong, answer.text)
        assert len(world.receiver.updates) == before


@check
def a_text_is_sent_and_delivered(world: World):
    sent = world.client.send_message(to=PERSON, text="See https://shop.example.test", preview_url=True, tracker="t-1")
    assert sent.id.startswith("wamid."), sent
    for state in (MessageStatusType.SENT, MessageStatusType.DELIVERED):
        status = world.status(sent.id, state)
        assert status.tracker == "t-1", status
        assert status.error is None, status


@check
def a_reply_quotes(world: World):
    message = world.message(text="Quote me")
    sent = message.reply("Here you are", quote=True)
    world.status(sent.id, MessageStatusType.SENT)


@check
def a_template_is_sent(world: World):
    sent = world.client.send_template(
        to=PERSON,
        name="delivery_update",
        language=TemplateLanguage.ENGLISH,
        params=[BodyText.params("Mira", "#981")],
        tracker="t-2",
    )
    assert world.status(sent.id, MessageStatusType.DELIVERED).tracker == "t-2"
    named = world.client.send_template(
        to=PERSON,
        name="visit_reminder",
        language=TemplateLanguage.GERMAN,
        params=[BodyText.params(first_name="Mira", visit_day="Montag")],
    )
    world.status(named.id, MessageStatusType.SENT)


@check
def a_template_with_a_picture_and_buttons_is_sent(world: World):
    picture = world.client.upload_media(PIXEL, mime_type="image/png", filename="head.png")
    sent = world.client.send_template(
        to=PERSON,
        name="parcel_update_v2",
        language=TemplateLanguage.ENGLISH_UK,
        params=[
            HeaderImage.params(image=picture.id),
            BodyText.params("Mira", "#981", "GBP 12.50"),
            QuickReplyButton.params(callback_data="parcel:981:ok", index=0),
            URLButton.params(url_variable="981", index=1),
        ],
    )
    world.status(sent.id, MessageStatusType.DELIVERED)


@check
def a_wrong_template_is_refused(world: World):
    def send(name, *values):
        return lambda: world.client.send_template(
            to=PERSON, name=name, language=TemplateLanguage.ENGLISH, params=[BodyText.params(*values)]
        )

    assert world.refused(send("delivery_update", "one")).code == 132000
    assert world.refused(send("no_such_template", "one")).code == 132001


@check
def files_are_uploaded_sent_and_read_back(world: World):
    media = world.client.upload_media(PIXEL, mime_type="image/png", filename="pixel.png")
    about = world.client.get_media_url(media.id)
    assert about.mime_type == "image/png", about
    assert about.get_bytes() == PIXEL
    sent = world.client.send_image(to=PERSON, image=media, caption="One pixel")
    world.status(sent.id, MessageStatusType.DELIVERED)
    by_id = world.client.send_image(to=PERSON, image=media.id)
    world.status(by_id.id, MessageStatusType.SENT)
    document = world.client.send_document(to=PERSON, document=b"%PDF-1.4 x", filename="a.pdf", mime_type="application/pdf")
    world.status(document.id, MessageStatusType.SENT)
    unknown = world.refused(lambda: world.client.send_image(to=PERSON, image="999999999999999"))
    assert unknown.code in (100, 131009, 131053), unknown
    assert world.client.delete_media(media.id)
    assert world.refused(lambda: world.client.get_media_url(media.id)).code == 100


@check
def files_of_customers_are_downloaded(world: World):
    message = world.message(media={"kind": "image", "caption": "the dent"})
    assert message.caption == "the dent", message
    assert len(message.image.get_bytes()) > 0
    voice = world.message(media={"kind": "audio", "voice": True})
    assert voice.audio.voice, voice


@check
def reactions_are_put_and_taken_off(world: World):
    message = world.message(text="React to me")
    put = world.client.send_reaction(to=PERSON, emoji="👍", message_id=message.id)
    world.status(put.id, MessageStatusType.SENT)
    off = world.client.remove_reaction(to=PERSON, message_id=message.id)
    world.status(off.id, MessageStatusType.SENT)
    sent = world.client.send_message(to=PERSON, text="React to this one")
    reaction = world.message(reaction={"messageId": sent.id, "emoji": "❤️"})
    assert (reaction.reaction.emoji, reaction.reaction.message_id) == ("❤️", sent.id), reaction


@check
def questions_are_asked_and_answered(world: World):
    sent = world.client.send_message(
        to=PERSON,
        text="Which slot suits you?",
        header="Delivery slot",
        footer="You can change it until 18:00",
        buttons=[types.Button("Morning", callback_data="slot:am"), types.Button("Afternoon", callback_data="slot:pm")],
    )
    world.status(sent.id, MessageStatusType.DELIVERED)
    tap = world.message(reply={"kind": "button", "id": "slot:am", "title": "Morning"}, replyTo=sent.id)
    assert (tap.data, tap.title, tap.reply_to_message.id) == ("slot:am", "Morning", sent.id), tap
    rows = [types.SectionRow("Track a parcel", callback_data="t:track", description="Needs the order number")]
    sent = world.client.send_message(
        to=PERSON,
        text="Pick what you need help with.",
        buttons=types.SectionList("Topics", sections=[types.Section("Orders", rows=rows)]),
    )
    world.status(sent.id, MessageStatusType.DELIVERED)
    tap = world.message(reply={"kind": "list", "id": "t:track", "title": "Track a parcel"}, replyTo=sent.id)
    assert tap.data == "t:track", tap
    tap = world.message(reply={"kind": "template", "id": "parcel:981:ok", "title": "Thanks"}, replyTo=sent.id)
    assert tap.data == "parcel:981:ok", tap
    too_many = [types.Button(str(n), callback_data=str(n)) for n in range(4)]
    assert world.refused(lambda: world.client.send_message(to=PERSON, text="x", buttons=too_many)).code in (100, 131009)


@check
def places_and_cards_go_both_ways(world: World):
    sent = world.client.send_location(to=PERSON, latitude=51.5007, longitude=-0.1246, name="North counter", address="1 Way")
    world.status(sent.id, MessageStatusType.DELIVERED)
    card = types.Contact(
        name=types.Contact.Name(formatted_name="Ilse Brandt", first_name="Ilse"),
        phones=[types.Contact.Phone(phone="+12025550163", type="WORK")],
    )
    sent = world.client.send_contact(to=PERSON, contact=card)
    world.status(sent.id, MessageStatusType.DELIVERED)
    place = world.message(location={"latitude": 51.5, "longitude": -0.5, "name": "Here"})
    assert (place.location.latitude, place.location.name) == (51.5, "Here"), place
    cards = world.message(contacts=[{"name": {"formatted_name": "Ilse Brandt", "first_name": "Ilse"}}])
    assert cards.contacts[0].name.formatted_name == "Ilse Brandt", cards


@check
def messages_are_marked_as_read(world: World):
    message = world.message(text="Read me")
    assert world.client.mark_message_as_read(message.id)
    assert world.client.indicate_typing(message.id)
    assert world.refused(lambda: world.client.mark_message_as_read("wamid.unknown")).code in (100, 131009)


@check
def failures_are_told(world: World):
    # A failed status names no person, and pywa makes none of it: it must be read raw.
    unreachable = world.client.send_template(
        to="12025550026", name="order_ready", language=TemplateLanguage.ENGLISH, params=[]
    )
    assert world.failure(unreachable.id) == 131026
    window_closed = world.client.send_message(to="12025550047", text="x")
    assert world.failure(window_closed.id) == 131047
    assert world.refused(lambda: world.new_client("wrong").send_message(to=PERSON, text="x")).code == 190


@check
def the_read_side_has_pages(world: World):
    # pywa cannot follow pages of templates (it fails on its own class), but those of numbers.
    templates = world.client.get_templates(pagination=types.Pagination(limit=100))
    names = {template.name for template in templates}
    assert {"order_ready", "delivery_update", "visit_reminder"} <= names, names
    assert templates.total_count == len(names), templates
    first = world.client.get_business_phone_numbers(pagination=types.Pagination(limit=2))
    assert first.has_next and len(first) == 2, first
    numbers = {number.id for number in first.all()}
    assert len(numbers) == 7 and NUMBER in numbers, numbers


def main() -> int:
    # Also then the server is stopped below.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    logging.getLogger("pywa").setLevel(logging.CRITICAL)
    receiver = Receiver()
    server = Server(
        whatsapp_access_token=TOKEN,
        whatsapp_app_secret=SECRET,
        whatsapp_verify_token=VERIFY_TOKEN,
        sandbox_callback_url=receiver.url,
    )
    failed = 0
    try:
        world = World(server, receiver)
        for function in CHECKS:
            name = function.__name__.replace("_", " ")
            try:
                function(world)
                print(f"ok      {name}", flush=True)
            except Exception:
                failed += 1
                print(f"FAILED  {name}\n{traceback.format_exc(limit=-3)}", flush=True)
        if failed:
            print(server.log.read_text(errors="replace")[-3000:], file=sys.stderr)
    finally:
        server.stop()
    print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks with pywa passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
