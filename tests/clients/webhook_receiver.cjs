// A webhook receiver on node: keeps what comes, and verifies it with the official library `standardwebhooks` and, for
// ed25519, with node's own crypto.
//
//   POST /hooks    a delivery; answered with the next status of the plan, or 204 without one
//   POST /plan     [500, 204]: how the next deliveries are answered
//   POST /verify   {"secrets": ["whsec_…"], "publicKeys": ["whpk_…"], "alter": false}: all deliveries, each with what
//                  every key says of it; altered ones are those where a byte of the body has changed
//
// Prints its URL; ends with its stdin.

const crypto = require("node:crypto");
const http = require("node:http");
const { Webhook, WebhookVerificationError } = require("standardwebhooks");

const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const deliveries = [];
let plan = [];

function symmetric(secret, { headers, body }) {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch (error) {
    if (error instanceof WebhookVerificationError) return false;
    throw error;
  }
}

function asymmetric(publicKey, { headers, body }) {
  const raw = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64");
  const key = crypto.createPublicKey({ key: Buffer.concat([ED25519_SPKI, raw]), format: "der", type: "spki" });
  const signed = Buffer.concat([Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`), body]);
  return headers["webhook-signature"]
    .split(" ")
    .map((one) => one.split(","))
    .some(([version, signature]) => version === "v1a" && crypto.verify(null, signed, key, Buffer.from(signature, "base64")));
}

function altered({ headers, body }) {
  const copy = Buffer.from(body);
  copy[copy.length - 2] ^= 1;
  return { headers, body: copy };
}

function verify({ secrets = [], publicKeys = [], alter = false }) {
  return deliveries.map((delivery) => {
    const seen = alter ? altered(delivery) : delivery;
    return {
      headers: delivery.headers,
      event: JSON.parse(delivery.body),
      v1: secrets.map((secret) => symmetric(secret, seen)),
      v1a: publicKeys.map((key) => asymmetric(key, seen)),
    };
  });
}

const server = http.createServer((request, response) => {
  const chunks = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const body = Buffer.concat(chunks);
    if (request.url === "/hooks") {
      deliveries.push({ headers: request.headers, body });
      response.writeHead(plan.shift() ?? 204).end();
      return;
    }
    try {
      if (request.url === "/plan") plan = JSON.parse(body);
      const answer = request.url === "/verify" ? verify(JSON.parse(body)) : {};
      response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
    } catch (error) {
      response.writeHead(500).end(String(error.stack));
    }
  });
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));
process.stdin.on("end", () => process.exit(0)).resume();
