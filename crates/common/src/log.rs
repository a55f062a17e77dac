//! One readable line an event on standard error, with fields. Never a body, never a secret.

/// `log!("webhook refused", tenant = id, status = 500)` prints `webhook refused tenant=… status=500`.
#[macro_export]
macro_rules! log {
    ($text:expr $(, $name:ident = $value:expr)* $(,)?) => {
        eprintln!(concat!($text $(, " ", stringify!($name), "={}")*) $(, $value)*)
    };
}
