//! `/v1/auth`: how people get in; `/v1/users`: who is in a tenant, and what is about the caller. What somebody may do
//! is said by their membership in the tenant.
//!
//! | file | what |
//! |---|---|
//! | `sessions` | `POST /v1/auth/sessions` |
//! | `acceptance` | `POST /v1/auth/invitations/{token}` |
//! | `invitations` | `/v1/users/invitations` |
//! | `me` | `/v1/users/me` |
//! | `unread` | `/v1/users/me/unread-count`, `/v1/users/me/unread-summary` |
//! | `members` | `/v1/users`, `/v1/users/{userId}` and its role |

mod acceptance;
mod invitations;
mod me;
mod members;
mod sessions;
mod unread;

use common::routes::Routes;

common::serve!(crate::routes);

/// The operations of this component.
pub fn routes() -> Routes {
    sessions::routes()
        .merge(acceptance::routes())
        .merge(me::routes())
        .merge(unread::routes())
        .merge(members::routes())
        .merge(invitations::routes())
}
