//! What goes on while the server is killed: sends, contacts, customers who write. Each request without
//! an answer is made again after the restart, with the same `Idempotency-Key`, until it has one.

use http::Method;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use tests::client::text;
use tests::tenant::template_to;
use tests::{App, Client, Inbox, Receiver, Tenant, unique};

const SENDERS: usize = 4;
/// New requests of each worker in a round, at most: the last moments of a round have less to do.
const REQUESTS: usize = 5;
/// An inbox for so many rounds, so that the list of its sends stays short.
const ROUNDS_AN_INBOX: u64 = 10;

/// SplitMix64: the moments of a run can be repeated.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end
    }
}

/// A request that is made until it has an answer.
#[derive(Clone)]
pub enum Request {
    Send {
        key: String,
        inbox: Inbox,
        phone: String,
    },
    Contact {
        key: String,
    },
    /// Not repeated: the provider itself repeats its callback.
    Customer {
        inbox: Inbox,
        phone: String,
        id: String,
    },
}

/// A request with its answer.
pub struct Acknowledged {
    pub request: Request,
    pub answer: Value,
}

/// One who makes requests.
struct Worker {
    client: Client,
    kind: fn(&Inbox, &str) -> Request,
    open: Vec<Request>,
    phone: String,
}

pub struct Load {
    pub tenant: Tenant,
    pub receiver: Receiver,
    pub inboxes: Vec<Inbox>,
    pub acknowledged: Vec<Acknowledged>,
    /// Customers' messages of which nobody knows whether the provider has them.
    pub unknown_customers: Vec<Request>,
    workers: Vec<Worker>,
    phones: u32,
}

impl Load {
    pub fn new(app: &App) -> Self {
        let tenant = Tenant::new(app);
        let receiver = Receiver::start();
        tenant.deliver_to(&receiver, &["contact.created", "message.created", "message.updated"]);
        let send = |inbox: &Inbox, phone: &str| Request::Send {
            key: unique::word(),
            inbox: inbox.clone(),
            phone: phone.into(),
        };
        let contact = |_: &Inbox, _: &str| Request::Contact { key: unique::word() };
        let customer = |inbox: &Inbox, phone: &str| Request::Customer {
            inbox: inbox.clone(),
            phone: phone.into(),
            id: format!("wamid.{}", unique::word()),
        };
        let mut kinds: Vec<fn(&Inbox, &str) -> Request> = vec![send; SENDERS];
        kinds.extend([contact as fn(&Inbox, &str) -> Request, customer]);
        let workers = kinds
            .into_iter()
            .map(|kind| Worker { client: tenant.key.clone(), kind, open: Vec::new(), phone: String::new() })
            .collect();
        Load {
            tenant,
            receiver,
            inboxes: Vec::new(),
            acknowledged: Vec::new(),
            unknown_customers: Vec::new(),
            workers,
            phones: 0,
        }
    }

    /// New connections, and now and then a new inbox.
    pub fn prepare(&mut self, round: u64) {
        self.tenant.key = self.tenant.key.clone().apart();
        if round.is_multiple_of(ROUNDS_AN_INBOX) {
            self.inboxes.push(self.tenant.inbox());
        }
        for worker in &mut self.workers {
            self.phones += 1;
            // No two people share a number, and none of the numbers is a magic one of the sandbox.
            worker.phone = format!("+48{}1234", 100_000 + self.phones);
            worker.client = self.tenant.key.clone();
        }
    }

    /// Works until `interruption` is over.
    pub fn run_until(&mut self, interruption: impl FnOnce()) {
        let inbox = self.inboxes.last().expect("an inbox").clone();
        let stop = AtomicBool::new(false);
        let results: Vec<(Vec<Acknowledged>, Vec<Request>)> = std::thread::scope(|scope| {
            let working: Vec<_> =
                self.workers.iter_mut().map(|worker| scope.spawn(|| worker.work(&inbox, &stop))).collect();
            interruption();
            stop.store(true, Ordering::Relaxed);
            working.into_iter().map(|worker| worker.join().unwrap()).collect()
        });
        for (acknowledged, unknown) in results {
            self.acknowledged.extend(acknowledged);
            self.unknown_customers.extend(unknown);
        }
    }

    /// Makes the requests without an answer again, now that nobody kills the server.
    pub fn finish_open_requests(&mut self) {
        self.tenant.key = self.tenant.key.clone().apart();
        for worker in &mut self.workers {
            worker.client = self.tenant.key.clone();
            for request in std::mem::take(&mut worker.open) {
                let answer = make(&worker.client, &request).expect("the server lives and answers");
                self.acknowledged.push(Acknowledged { request, answer });
            }
        }
    }

    pub fn summary(&self) -> String {
        let count =
            |wanted: fn(&Request) -> bool| self.acknowledged.iter().filter(|a| wanted(&a.request)).count();
        format!(
            "{} sends, {} contacts and {} customers' messages acknowledged",
            count(|request| matches!(request, Request::Send { .. })),
            count(|request| matches!(request, Request::Contact { .. })),
            count(|request| matches!(request, Request::Customer { .. })),
        )
    }
}

impl Worker {
    /// Open requests first, then new ones; gives what was acknowledged, and customers' messages without
    /// a known fate.
    fn work(&mut self, inbox: &Inbox, stop: &AtomicBool) -> (Vec<Acknowledged>, Vec<Request>) {
        let (mut acknowledged, mut unknown) = (Vec::new(), Vec::new());
        let mut todo = std::mem::take(&mut self.open).into_iter();
        for _ in 0..REQUESTS {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let request = todo.next().unwrap_or_else(|| (self.kind)(inbox, &self.phone));
            match make(&self.client, &request) {
                Some(answer) => acknowledged.push(Acknowledged { request, answer }),
                None if matches!(request, Request::Customer { .. }) => unknown.push(request),
                None => self.open.push(request),
            }
        }
        self.open.extend(todo);
        (acknowledged, unknown)
    }
}

/// `None` without an answer, or with one that asks to try again.
fn make(client: &Client, request: &Request) -> Option<Value> {
    let (client, path, body, success) = match request {
        Request::Send { key, inbox, phone } => {
            (client.once(key), "/v1/messages".to_string(), template_to(inbox, phone), 202)
        }
        Request::Contact { key } => (client.once(key), "/v1/contacts".to_string(), json!({"name": key}), 201),
        Request::Customer { inbox, phone, id } => (
            client.clone(),
            format!("/sandbox/whatsapp/{}/customer-messages", inbox.phone_number_id),
            json!({"from": phone, "text": "Hello", "id": id}),
            200,
        ),
    };
    let answer = client.try_send(&Method::POST, &path, Some(body)).ok()?;
    if answer.status == 503 || answer.status == 409 {
        // Busy, or the same key is still in flight: both ask to try again.
        return None;
    }
    if let Request::Customer { id, .. } = request {
        // The provider got a 200 from us only when the delivery says so.
        let answer = answer.json();
        assert_eq!(text(&answer, "messageId"), *id);
        return (answer["deliveries"][0]["status"] == 200).then_some(answer);
    }
    assert_eq!(answer.status, success, "{answer}");
    Some(answer.json())
}
