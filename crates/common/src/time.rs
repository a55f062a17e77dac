//! Times: milliseconds since 1970 in the database, RFC 3339 with `Z` in JSON.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The clock of the machine.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds since 1970.
    pub fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// From whole seconds since 1970, as providers write them.
    pub fn from_seconds(seconds: i64) -> Self {
        Timestamp(seconds.saturating_mul(1000))
    }

    /// Later by `by`; stays at the end of time when it would pass it.
    pub fn after(self, by: Duration) -> Self {
        Timestamp(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `by`.
    pub fn before(self, by: Duration) -> Self {
        Timestamp(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }

    /// RFC 3339 in UTC with milliseconds: `2026-04-30T10:36:00.000Z`.
    pub fn rfc3339(self) -> String {
        let time = jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        format!("{time:.3}")
    }

    /// Reads RFC 3339 with any offset; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        Some(Timestamp(time.as_millisecond()))
    }

    /// Reads an HTTP date (RFC 9110 section 5.6.7): `Sat, 21 Nov 2026 10:36:00 GMT`; `None` for anything else.
    pub fn parse_http_date(text: &str) -> Option<Self> {
        let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
        Some(Timestamp(time.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.rfc3339())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("must be an RFC 3339 time such as 2026-04-30T10:36:00Z"))
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .description(Some("RFC 3339 in UTC."))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {
    fn name() -> std::borrow::Cow<'static, str> {
        "Timestamp".into()
    }
}

/// Whether a text is a day of the calendar as `YYYY-MM-DD`.
pub fn is_date(text: &str) -> bool {
    let dashes = text.len() == 10 && text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
    dashes && text.parse::<jiff::civil::Date>().is_ok()
}

/// Whether a text is a date with a time of day, with or without an offset (RFC 3339 and its near kin).
pub fn is_date_time(text: &str) -> bool {
    Timestamp::parse(text).is_some() || text.parse::<jiff::civil::DateTime>().is_ok()
}

/// Waits without holding up the other requests of the instance.
pub async fn sleep(duration: Duration) {
    spin_sdk::time::sleep(duration).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_and_reads_rfc_3339() {
        let time = Timestamp::parse("2026-04-30T12:36:00.5+02:00").unwrap();
        assert_eq!(time.rfc3339(), "2026-04-30T10:36:00.500Z");
        assert_eq!(Timestamp::parse(&time.rfc3339()), Some(time));
        assert_eq!(Timestamp::parse("yesterday"), None);
        assert_eq!(Timestamp::parse("2026-04-30"), None);
    }

    #[test]
    fn knows_the_days_of_the_calendar() {
        assert!(is_date("2024-02-29") && is_date("0001-01-01"));
        for wrong in [
            "2026-02-29",
            "2026-13-01",
            "20260101",
            "2026-1-01",
            "2026-01-01T",
            "2026-W01-1",
            "",
            "żółć-ćó-ź",
        ] {
            assert!(!is_date(wrong), "{wrong}");
        }
        assert!(is_date_time("2026-04-30T12:00:00Z") && is_date_time("2026-04-30 12:00:00"));
        assert!(!is_date_time("2026-04-31T12:00:00Z") && !is_date_time("noon"));
    }
}
