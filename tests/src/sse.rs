//! A client of Server-Sent Events: a connection of its own, read by a thread as things come.

use crate::Client;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a connection may take to be answered.
const ANSWER: Duration = Duration::from_secs(20);

/// What came on a stream: an event, or a comment.
#[derive(Clone, Debug)]
pub struct Event {
    pub at: Instant,
    /// The name; `:` for a comment.
    pub kind: String,
    pub id: Option<String>,
    /// The text as it came.
    pub data: String,
}

impl Event {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An open stream.
pub struct Events {
    socket: TcpStream,
    events: Receiver<Event>,
    /// The id to resume from.
    pub last_id: Option<String>,
    /// The head of the answer, in lower case.
    pub head: String,
}

/// Sends the request of a stream and reads the answer's head; nothing is read of the body.
pub fn connect(client: &Client, path: &str) -> (u16, String, BufReader<TcpStream>) {
    let host = client.base.trim_start_matches("http://");
    let mut socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(ANSWER)).unwrap();
    let mut head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/event-stream\r\n");
    for (name, value) in &client.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    socket.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        let read =
            reader.read_line(&mut head).unwrap_or_else(|error| panic!("{path}: {error} after {head:?}"));
        assert!(read > 0, "{path}: closed after {head:?}");
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, head.to_lowercase(), reader)
}

impl Events {
    /// Opens a stream; panics when it is refused.
    #[track_caller]
    pub fn open(client: &Client, path: &str) -> Self {
        let (status, head, reader) = connect(client, path);
        assert_eq!(status, 200, "{path}: {head}");
        assert!(head.contains("content-type: text/event-stream\r\n"), "{head}");
        Self::read(head, reader)
    }

    /// Opens a stream and waits for its first event: what happens from here on comes.
    #[track_caller]
    pub fn ready(client: &Client, path: &str) -> Self {
        let mut events = Self::open(client, path);
        let first = events.next(ANSWER).expect("a first event");
        assert_eq!(first.kind, "ready", "{first:?}");
        events
    }

    /// Begins to read a connection whose head was read.
    pub fn read(head: String, reader: BufReader<TcpStream>) -> Self {
        let socket = reader.get_ref().try_clone().unwrap();
        socket.set_read_timeout(None).unwrap();
        let (sender, events) = channel();
        let is_chunked = head.contains("transfer-encoding: chunked\r\n");
        std::thread::spawn(move || {
            let mut lines = BufReader::new(Chunks { reader, left: 0, is_chunked });
            let (mut kind, mut id, mut data) = (String::new(), None, String::new());
            let mut line = String::new();
            while let Ok(1..) = lines.read_line(&mut line) {
                let text = line.trim_end_matches('\n');
                let (field, value) = text.split_once(':').unwrap_or((text, ""));
                let value = value.strip_prefix(' ').unwrap_or(value);
                let at = Instant::now();
                match field {
                    "" if text.is_empty() => {
                        // Without data it is no event, but its id counts.
                        let kind = std::mem::take(&mut kind);
                        let event = Event { at, kind, id: id.take(), data: std::mem::take(&mut data) };
                        if sender.send(event).is_err() {
                            return;
                        }
                    }
                    "" => drop(sender.send(Event { at, kind: ":".into(), id: None, data: value.into() })),
                    "event" => kind = value.to_string(),
                    "id" => id = Some(value.to_string()),
                    "data" => data.push_str(value),
                    _ => {}
                }
                line.clear();
            }
        });
        Events { socket, events, last_id: None, head }
    }

    /// The next event or comment; `None` when none comes in time, or the stream has ended.
    pub fn next(&mut self, deadline: Duration) -> Option<Event> {
        let event = self.events.recv_timeout(deadline).ok()?;
        if event.id.is_some() {
            self.last_id.clone_from(&event.id);
        }
        Some(event)
    }

    /// The next event that `wanted` chooses; panics when none comes in time.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, deadline: Duration, wanted: impl Fn(&Event) -> bool) -> Event {
        let began = Instant::now();
        let mut others = Vec::new();
        while let Some(event) = self.next(deadline.saturating_sub(began.elapsed())) {
            if wanted(&event) {
                return event;
            }
            others.push(event.kind);
        }
        panic!("waited {:?} for {what}; came: {others:?}", began.elapsed());
    }

    /// The next event of a kind; panics when none comes in time.
    #[track_caller]
    pub fn wait_for(&mut self, kind: &str, deadline: Duration) -> Event {
        self.wait_until(&format!("the event {kind}"), deadline, |event| event.kind == kind)
    }

    /// Waits until the server ends the stream; panics when it does not in time. Gives what came before.
    #[track_caller]
    pub fn wait_for_end(&mut self, deadline: Duration) -> Vec<Event> {
        let (began, mut came) = (Instant::now(), Vec::new());
        loop {
            match self.events.recv_timeout(deadline.saturating_sub(began.elapsed())) {
                Ok(event) => came.push(event),
                Err(RecvTimeoutError::Disconnected) => return came,
                Err(RecvTimeoutError::Timeout) => panic!("the stream still runs after {:?}", began.elapsed()),
            }
        }
    }

    /// Everything that has come and comes within this time, without comments.
    pub fn drain(&mut self, quiet: Duration) -> Vec<Event> {
        let mut all = Vec::new();
        while let Some(event) = self.next(quiet) {
            if event.kind != ":" && !event.data.is_empty() {
                all.push(event);
            }
        }
        all
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A body in chunks, without their frames. Ends with the last chunk or with the connection.
struct Chunks {
    reader: BufReader<TcpStream>,
    left: usize,
    is_chunked: bool,
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if !self.is_chunked {
            return self.reader.read(buffer);
        }
        if self.left == 0 {
            let mut line = String::new();
            while line.trim().is_empty() {
                line.clear();
                if self.reader.read_line(&mut line)? == 0 {
                    return Ok(0);
                }
            }
            self.left = usize::from_str_radix(line.trim(), 16).map_err(std::io::Error::other)?;
            if self.left == 0 {
                return Ok(0);
            }
        }
        let most = buffer.len().min(self.left);
        let read = self.reader.read(&mut buffer[..most])?;
        self.left -= read;
        Ok(read)
    }
}
