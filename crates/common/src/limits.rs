//! Every limit of the kit, with its unit. Routes may set larger body limits of their own.

use std::time::Duration;

/// Largest request body, in bytes, where a route names no other.
pub const BODY_BYTES: usize = 1024 * 1024;
/// Deepest nesting of arrays and objects in a JSON body.
pub const JSON_DEPTH: usize = 32;
/// Page size of a list when the caller names none (contract section 4).
pub const PAGE_SIZE_DEFAULT: u32 = 50;
/// Largest page size; larger requests are clamped (contract section 4).
pub const PAGE_SIZE_MAX: u32 = 100;
/// Longest page token accepted, in characters.
pub const PAGE_TOKEN_CHARS: usize = 4096;
/// Longest `Idempotency-Key`, in characters.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
/// How long the answer of a POST is kept for its `Idempotency-Key`.
pub const IDEMPOTENCY_KEEP: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a request of several steps may hold its `Idempotency-Key` before another may try.
pub const IDEMPOTENCY_LEASE: Duration = Duration::from_secs(60);
/// Longest `X-Request-Id` taken over from the caller, in characters.
pub const REQUEST_ID_CHARS: usize = 128;
/// Longest bearer token looked at, in characters.
pub const TOKEN_CHARS: usize = 4096;
/// How long a statement or transaction tries to get past a locked database.
pub const DATABASE_BUSY: Duration = Duration::from_secs(10);
/// Largest answer read from another server, in bytes, where a call names no other.
pub const OUTBOUND_ANSWER_BYTES: usize = 1024 * 1024;
/// An API key's `lastUsedAt` is written at most this often.
pub const LAST_USED_STEP: Duration = Duration::from_secs(60);
/// How long a client may take nothing of a body that is written piece by piece before it is cut off.
pub const BODY_STALL: Duration = Duration::from_secs(60);
