//! The database: one SQLite connection an instance, transactions, row mapping.
//!
//! Statements run through the SDK's *sync* `execute`: one host call returns all rows, three times
//! as fast as the streamed form. It stops the whole instance while it runs, which is fine for
//! indexed statements and buys us simplicity: **database code never awaits**. A [`read`] or a
//! [`write`] is a plain closure, so two requests of an instance are never inside it at once, one
//! connection serves them all, no request can be dropped in the middle of a transaction, and no
//! lock between requests is needed.
//!
//! The only wait is for another *instance* that writes: `busy_timeout` is 0 and `BEGIN IMMEDIATE`
//! is tried again after a short awaited sleep, during which the instance serves others. SQLite's
//! own back-off would stop them all (p99 of a transaction at 16 connections 1.08 s instead of 0.07 s).

use crate::{Problem, Result, limits, migrations, settings, time};
use spin_sdk::sqlite::wit::sqlite as spin;
use std::cell::{Cell, RefCell};
use std::time::Duration;

pub use spin::Value;

thread_local! {
    static CONNECTION: RefCell<Option<spin::Connection>> = const { RefCell::new(None) };
    static MIGRATED: Cell<bool> = const { Cell::new(false) };
}

const LOCKED: &str = "the database stayed locked";

/// What went wrong with a statement. Spin gives a text only; it is read here and nowhere else.
#[derive(Clone, Debug, PartialEq)]
pub enum Error {
    /// Another connection holds the lock.
    Busy,
    /// A unique index refused the row; its columns as SQLite names them: `users.email`.
    Unique(String),
    /// No room.
    Full,
    /// A row was not of the shape that the code expects, or anything else.
    Other(String),
}

impl From<spin::Error> for Error {
    fn from(error: spin::Error) -> Self {
        let text = match error {
            spin::Error::DatabaseFull => return Error::Full,
            spin::Error::Io(text) => text,
            other => format!("{other:?}"),
        };
        let lower = text.to_ascii_lowercase();
        if lower.contains("database is locked") || lower.contains("database table is locked") {
            Error::Busy
        } else if let Some((_, columns)) = text.split_once("UNIQUE constraint failed: ") {
            Error::Unique(columns.trim().to_string())
        } else if lower.contains("disk is full") {
            Error::Full
        } else {
            Error::Other(text)
        }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::Busy => Problem::unavailable(LOCKED),
            Error::Full => Problem::unavailable("the database is full"),
            Error::Unique(columns) => Problem::internal(format!("unexpected duplicate of {columns}")),
            Error::Other(text) => Problem::internal(format!("database: {text}")),
        }
    }
}

/// What can be bound to a `?`.
pub trait ToValue {
    fn to_value(&self) -> Value;
}

macro_rules! to_value {
    ($($type:ty => |$value:ident| $made:expr),* $(,)?) => {
        $(impl ToValue for $type {
            fn to_value(&self) -> Value {
                let $value = self;
                $made
            }
        })*
    };
}

to_value! {
    str => |v| Value::Text(v.to_string()),
    String => |v| Value::Text(v.clone()),
    i64 => |v| Value::Integer(*v),
    i32 => |v| Value::Integer(i64::from(*v)),
    u32 => |v| Value::Integer(i64::from(*v)),
    u16 => |v| Value::Integer(i64::from(*v)),
    bool => |v| Value::Integer(i64::from(*v)),
    time::Timestamp => |v| Value::Integer(v.millis()),
    [u8] => |v| Value::Blob(v.to_vec()),
    Vec<u8> => |v| Value::Blob(v.clone()),
    [u8; 32] => |v| Value::Blob(v.to_vec()),
}

impl<T: ToValue + ?Sized> ToValue for &T {
    fn to_value(&self) -> Value {
        (**self).to_value()
    }
}

impl<T: ToValue> ToValue for Option<T> {
    fn to_value(&self) -> Value {
        self.as_ref().map_or(Value::Null, ToValue::to_value)
    }
}

/// `params![tenant, id, 5]`: the values of a statement's `?` in order.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::db::ToValue::to_value(&$value)),*]
    };
}

/// What a column can become.
pub trait FromValue: Sized {
    fn from_value(value: Value) -> Option<Self>;
}

impl FromValue for String {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Text(text) = value { Some(text) } else { None }
    }
}

impl FromValue for i64 {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Integer(number) = value { Some(number) } else { None }
    }
}

impl FromValue for u32 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| u32::try_from(number).ok())
    }
}

impl FromValue for u16 {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).and_then(|number| u16::try_from(number).ok())
    }
}

impl FromValue for bool {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(|number| number != 0)
    }
}

impl FromValue for time::Timestamp {
    fn from_value(value: Value) -> Option<Self> {
        i64::from_value(value).map(time::Timestamp)
    }
}

impl FromValue for Vec<u8> {
    fn from_value(value: Value) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes) } else { None }
    }
}

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

/// One row, read column by column in the order of the `SELECT`.
#[derive(Debug)]
pub struct Row {
    values: std::vec::IntoIter<Value>,
}

impl Row {
    /// The next column. Asking for another type than the column holds is a mistake of ours: 500.
    pub fn take<T: FromValue>(&mut self) -> Result<T, Error> {
        let value = self.values.next().ok_or_else(|| Error::Other("the row has no further column".into()))?;
        T::from_value(value)
            .ok_or_else(|| Error::Other(format!("a column is no {}", std::any::type_name::<T>())))
    }
}

/// A record that one row holds.
pub trait FromRow: Sized {
    fn from_row(row: &mut Row) -> Result<Self, Error>;
}

macro_rules! tuple_from_row {
    ($($name:ident)+) => {
        impl<$($name: FromValue),+> FromRow for ($($name,)+) {
            fn from_row(row: &mut Row) -> Result<Self, Error> {
                Ok(($(row.take::<$name>()?,)+))
            }
        }
    };
}

tuple_from_row!(A);
tuple_from_row!(A B);
tuple_from_row!(A B C);
tuple_from_row!(A B C D);
tuple_from_row!(A B C D E);
tuple_from_row!(A B C D E F);
tuple_from_row!(A B C D E F G);
tuple_from_row!(A B C D E F G H);

/// The connection, for the length of a closure.
pub struct Db<'a> {
    connection: &'a spin::Connection,
}

impl std::fmt::Debug for Db<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Db")
    }
}

impl Db<'_> {
    /// All rows of a statement. The caller bounds them with `LIMIT` or by the data's nature.
    pub fn rows<T: FromRow>(&self, sql: &str, params: &[Value]) -> Result<Vec<T>, Error> {
        let found = self.connection.execute(sql, params)?;
        found.rows.into_iter().map(|row| T::from_row(&mut Row { values: row.values.into_iter() })).collect()
    }

    /// The first row, if there is one.
    pub fn row<T: FromRow>(&self, sql: &str, params: &[Value]) -> Result<Option<T>, Error> {
        let found = self.connection.execute(sql, params)?;
        let Some(row) = found.rows.into_iter().next() else { return Ok(None) };
        T::from_row(&mut Row { values: row.values.into_iter() }).map(Some)
    }

    /// A statement whose rows do not matter. Constraint errors come from here.
    pub fn run(&self, sql: &str, params: &[Value]) -> Result<(), Error> {
        self.connection.execute(sql, params)?;
        Ok(())
    }

    /// A statement with `RETURNING`: whether it touched a row.
    pub fn touches(&self, sql: &str, params: &[Value]) -> Result<bool, Error> {
        Ok(!self.connection.execute(sql, params)?.rows.is_empty())
    }
}

/// Runs `body` on the connection, outside a transaction: for one statement that reads.
///
/// `body` may run again when the database was locked, as it is for a moment after a crash.
pub async fn read<T>(body: impl Fn(&Db<'_>) -> Result<T>) -> Result<T> {
    migrated().await?;
    let mut patience = Patience::default();
    loop {
        match with_connection(|db| Ok(body(db))).await {
            Ok(Err(problem)) if problem.cause.as_deref() == Some(LOCKED) => {}
            Ok(done) => return done,
            Err(Error::Busy) => {}
            Err(error) => return Err(error.into()),
        }
        patience.wait().await?;
    }
}

/// Runs `body` in a transaction: all of it is committed, or, when it answers an error, none.
///
/// The write lock is taken before `body` runs, so what it reads cannot change under it.
pub async fn write<T>(body: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
    migrated().await?;
    transaction(body).await
}

async fn transaction<T>(body: impl FnOnce(&Db<'_>) -> Result<T>) -> Result<T> {
    let mut body = Some(body);
    let mut patience = Patience::default();
    loop {
        let attempt = with_connection(|db| {
            db.run("BEGIN IMMEDIATE", &[])?;
            Ok(body.take().map(|body| finish(db, body(db))))
        });
        match attempt.await {
            Ok(Some(done)) => return done,
            Ok(None) => return Err(Problem::internal("a transaction ran twice")),
            Err(Error::Busy) => patience.wait().await?,
            Err(error) => return Err(error.into()),
        }
    }
}

fn finish<T>(db: &Db<'_>, result: Result<T>) -> Result<T> {
    match result {
        Ok(value) => match db.run("COMMIT", &[]) {
            Ok(()) => Ok(value),
            Err(error) => {
                discard(db);
                Err(error.into())
            }
        },
        Err(problem) => {
            discard(db);
            Err(problem)
        }
    }
}

/// Ends a transaction without effect. A connection that cannot even do that must not be used again.
fn discard(db: &Db<'_>) {
    if db.run("ROLLBACK", &[]).is_err() {
        BROKEN.set(true);
    }
}

thread_local! {
    static BROKEN: Cell<bool> = const { Cell::new(false) };
}

/// Checks the connection out, runs `body`, and puts it back. Opening one can find the database locked too.
async fn with_connection<T>(body: impl FnOnce(&Db<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let connection = match CONNECTION.take() {
        Some(connection) => connection,
        None => open().await?,
    };
    let result = body(&Db { connection: &connection });
    if !BROKEN.replace(false) {
        CONNECTION.replace(Some(connection));
    }
    result
}

async fn open() -> Result<spin::Connection, Error> {
    let full = settings::get("sqlite_synchronous").await.as_deref() == Some("full");
    let connection = spin::Connection::open("default")?;
    let db = Db { connection: &connection };
    db.run("PRAGMA busy_timeout = 0", &[])?;
    db.run("PRAGMA foreign_keys = ON", &[])?;
    // NORMAL survives a killed process; only a power loss may take the last commits (DESIGN section 3).
    db.run(if full { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" }, &[])?;
    Ok(connection)
}

/// Brings the schema up to date, once an instance. Safe with any number of instances at once: WAL is
/// set by whoever comes first, and each migration is applied under the write lock.
async fn migrated() -> Result<()> {
    if MIGRATED.get() {
        return Ok(());
    }
    let mut patience = Patience::default();
    loop {
        match with_connection(version).await {
            Ok(version) if version == migrations::latest() => break,
            Ok(version) if version > migrations::latest() => {
                return Err(Problem::internal(format!(
                    "the database is at version {version}, newer than this program"
                )));
            }
            Ok(_) => match with_connection(|db| db.run("PRAGMA journal_mode = WAL", &[])).await {
                Ok(()) => transaction(migrations::apply).await?,
                Err(Error::Busy) => {}
                Err(error) => return Err(error.into()),
            },
            Err(Error::Busy) => {}
            Err(error) => return Err(error.into()),
        }
        patience.wait().await?;
    }
    MIGRATED.set(true);
    Ok(())
}

/// The version of the schema; 0 for an empty database.
fn version(db: &Db<'_>) -> Result<i64, Error> {
    match db.row::<(i64,)>(migrations::VERSION, &[]) {
        Ok(found) => Ok(found.map_or(0, |(version,)| version)),
        Err(Error::Other(text)) if text.contains("no such table") => Ok(0),
        Err(error) => Err(error),
    }
}

/// Short awaited sleeps that grow a little and differ, until the deadline.
#[derive(Default)]
struct Patience {
    since: Option<time::Timestamp>,
    tries: u64,
}

impl Patience {
    /// Waits before another try, or says that it took too long.
    async fn wait(&mut self) -> Result<()> {
        let now = time::Timestamp::now();
        if now > self.since.get_or_insert(now).after(limits::DATABASE_BUSY) {
            return Err(Error::Busy.into());
        }
        self.tries = self.tries.wrapping_add(1);
        let spread = self.tries.wrapping_mul(7) % 11;
        let micros = 200_u64
            .saturating_add(spread.saturating_mul(60))
            .saturating_add(self.tries.min(20).saturating_mul(20));
        time::sleep(Duration::from_micros(micros)).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_spins_error_texts() {
        let io = |text: &str| Error::from(spin::Error::Io(text.into()));
        assert_eq!(io("database is locked"), Error::Busy);
        assert_eq!(io("UNIQUE constraint failed: users.email"), Error::Unique("users.email".into()));
        assert_eq!(io("database or disk is full"), Error::Full);
        assert_eq!(Error::from(spin::Error::DatabaseFull), Error::Full);
        assert!(matches!(io("no such table: x"), Error::Other(_)));
    }

    #[test]
    fn maps_columns_in_order() {
        let mut row =
            Row { values: vec![Value::Text("a".into()), Value::Null, Value::Integer(1)].into_iter() };
        assert_eq!(row.take::<String>(), Ok("a".into()));
        assert_eq!(row.take::<Option<i64>>(), Ok(None));
        assert_eq!(row.take::<bool>(), Ok(true));
        assert!(row.take::<i64>().is_err());
    }
}
