//! `/channels`: callbacks of the providers. Each is checked on its raw bytes, stored, answered with 200,
//! and then worked off by a job: a provider waits a quarter of a second at most, and repeats what it got
//! no 200 for.
//!
//! | file | providers |
//! |---|---|
//! | `meta` | WhatsApp, Messenger, Instagram |
//! | `twilio` | SMS through Twilio |
//! | `gateway` | SMS through any other gateway |

mod gateway;
mod meta;
mod twilio;

use common::Problem;
use common::routes::Routes;

common::serve!(crate::routes);

/// WhatsApp's callbacks can be up to 3 MB (channels section 1.5), in bytes.
const META_BYTES: usize = 4 * 1024 * 1024;
/// A text message and what is told of it, in bytes.
const SMS_BYTES: usize = 256 * 1024;

/// The operations of this component.
pub fn routes() -> Routes {
    let routes = Routes::new("Channel callbacks");
    gateway::routes(twilio::routes(meta::routes(routes)))
}

/// What is refused says nothing of what exists: an unknown inbox is a wrong signature too.
fn refused(detail: &str) -> Problem {
    let mut problem = Problem::unauthorized(detail);
    problem.code = "auth_signature_invalid".into();
    problem
}
