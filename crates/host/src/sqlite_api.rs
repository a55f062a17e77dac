//! What guests import for SQLite: `spin:sqlite@3.1.0` (3.0.0 is a part of it) and, for guests of Spin 2,
//! `fermyon:spin/sqlite@2.0.0`. A synchronous function of an interface is linked with `func_wrap` or
//! `func_wrap_async`, an `async` one with `func_wrap_concurrent`; anything else fails when linking.
use crate::app::Host;
use crate::sqlite::{Call, Connection, InUse};
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::pin::Pin;
use std::task::{Context, Poll};
use wasmtime::component::{
    Accessor, ComponentType, Destination, FutureReader, Lift, Linker, LinkerInstance, Lower, Resource,
    ResourceType, StreamProducer, StreamReader, StreamResult, VecBuffer,
};
use wasmtime::{AsContextMut as _, Result, StoreContextMut};

/// Rows handed to the guest at once. The connection stays in use until the last ones are.
const ROWS_PER_READ: usize = 256;

// Cases and fields in the order of the WIT file, WIT's names spelled out. `Lift` is needed on
// everything that goes through a stream or a future, whichever way it travels.

/// `value`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
pub enum Value {
    /// A signed 64-bit number.
    #[component(name = "integer")]
    Integer(i64),
    /// A floating-point number.
    #[component(name = "real")]
    Real(f64),
    /// UTF-8 text.
    #[component(name = "text")]
    Text(String),
    /// Bytes.
    #[component(name = "blob")]
    Blob(Vec<u8>),
    /// NULL
    #[component(name = "null")]
    Null,
}

/// `error`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
pub enum Error {
    /// No database has this label. Spin answers `access-denied` instead.
    #[component(name = "no-such-database")]
    NoSuchDatabase,
    /// The manifest does not give the component this label.
    #[component(name = "access-denied")]
    AccessDenied,
    /// The connection is gone.
    #[component(name = "invalid-connection")]
    InvalidConnection,
    /// The disk or the database's limit is full.
    #[component(name = "database-full")]
    DatabaseFull,
    /// Everything else, as SQLite's own text.
    #[component(name = "io")]
    Io(String),
}

/// `row-result`
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(record)]
pub struct Row {
    /// One for each column.
    pub values: Vec<Value>,
}

/// `query-result`
#[derive(ComponentType, Lift, Lower, Clone, Debug, Default)]
#[component(record)]
pub struct QueryResult {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// All rows.
    pub rows: Vec<Row>,
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::DatabaseFull,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Integer(value) => ValueRef::Integer(*value),
            Self::Real(value) => ValueRef::Real(*value),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::Blob(value) => ValueRef::Blob(value),
            Self::Null => ValueRef::Null,
        }))
    }
}

// Parameters and results of linker functions are tuples, also when there is only one.
type Handle = (Resource<Connection>,);
type Statement = (Resource<Connection>, String, Vec<Value>);
type Streamed = (Vec<String>, StreamReader<Row>, FutureReader<Result<(), Error>>);

/// Adds all versions.
pub fn add_to_linker(linker: &mut Linker<Host>) -> Result<()> {
    add_connection(&mut linker.instance("fermyon:spin/sqlite@2.0.0")?)?;
    let mut sqlite = linker.instance("spin:sqlite/sqlite@3.1.0")?;
    add_connection(&mut sqlite)?;
    add_counters(&mut sqlite)?;
    sqlite.func_wrap_concurrent(
        "[static]connection.open-async",
        |host: &Accessor<Host>, (label,): (String,)| {
            Box::pin(async move { Ok((host.with(|mut access| open(access.get(), &label))?,)) })
        },
    )?;
    sqlite.func_wrap_concurrent(
        "[method]connection.execute-async",
        |host, (handle, sql, parameters): Statement| {
            Box::pin(async move {
                let connection = host.with(|mut access| connection(access.get(), &handle))?;
                let (result, in_use) = connection.execute(sql, parameters, Call::Async).await;
                // As in Spin, even a syntax error arrives in the future, behind an empty stream.
                let (found, end) = match result {
                    Ok(found) => (found, Ok(())),
                    Err(error) => (QueryResult::default(), Err(error)),
                };
                let streamed =
                    host.with(|mut access| stream_rows(access.as_context_mut(), found, end, in_use))?;
                Ok((Ok::<_, Error>(streamed),))
            })
        },
    )
}

/// What all versions have.
fn add_connection(sqlite: &mut LinkerInstance<Host>) -> Result<()> {
    sqlite.resource("connection", ResourceType::host::<Connection>(), |mut store, rep| {
        store.data_mut().table.delete(Resource::<Connection>::new_own(rep))?;
        Ok(())
    })?;
    sqlite
        .func_wrap("[static]connection.open", |mut store: StoreContextMut<Host>, (label,): (String,)| {
            Ok((open(store.data_mut(), &label)?,))
        })?;
    sqlite.func_wrap_async("[method]connection.execute", |mut store, (handle, sql, parameters): Statement| {
        Box::new(async move {
            let connection = connection(store.data_mut(), &handle)?;
            let (result, _in_use) = connection.execute(sql, parameters, Call::Sync).await;
            Ok((result,))
        })
    })
}

fn add_counters(sqlite: &mut LinkerInstance<Host>) -> Result<()> {
    sqlite.func_wrap_async("[method]connection.last-insert-rowid", |mut store, (handle,): Handle| {
        Box::new(async move { Ok((connection(store.data_mut(), &handle)?.last_insert_rowid().await,)) })
    })?;
    sqlite.func_wrap_async("[method]connection.changes", |mut store, (handle,): Handle| {
        Box::new(async move { Ok((connection(store.data_mut(), &handle)?.changes().await,)) })
    })?;
    sqlite.func_wrap_concurrent(
        "[method]connection.last-insert-rowid-async",
        |host, (handle,): Handle| {
            Box::pin(async move {
                Ok((host.with(|mut access| connection(access.get(), &handle))?.last_insert_rowid().await,))
            })
        },
    )?;
    sqlite.func_wrap_concurrent("[method]connection.changes-async", |host, (handle,): Handle| {
        Box::pin(
            async move { Ok((host.with(|mut access| connection(access.get(), &handle))?.changes().await,)) },
        )
    })
}

fn open(host: &mut Host, label: &str) -> Result<Result<Resource<Connection>, Error>> {
    let Some(database) = host.component.databases.get(label) else {
        return Ok(Err(Error::AccessDenied));
    };
    let connection = Connection::new(database.clone(), host.instance.clone());
    Ok(Ok(host.table.push(connection)?))
}

fn connection(host: &mut Host, handle: &Resource<Connection>) -> Result<Connection> {
    Ok(host.table.get(handle)?.clone())
}

fn stream_rows(
    mut store: StoreContextMut<Host>,
    found: QueryResult,
    end: Result<(), Error>,
    in_use: Option<InUse>,
) -> Result<Streamed> {
    let rows = StreamReader::new(
        store.as_context_mut(),
        UnreadRows { in_use: in_use.filter(|_| !found.rows.is_empty()), rows: found.rows.into_iter() },
    )?;
    // The future's own error would trap the guest; WIT's result is the inner one.
    let end = FutureReader::new(store, async { wasmtime::error::Ok(end) })?;
    Ok((found.columns, rows, end))
}

/// Rows that the guest has not taken yet. As in Spin the connection is busy until it has, so that a
/// guest which forgets to read them is found out here and not in production.
struct UnreadRows {
    rows: std::vec::IntoIter<Row>,
    in_use: Option<InUse>,
}

impl<D> StreamProducer<D> for UnreadRows {
    type Item = Row;
    type Buffer = VecBuffer<Row>;

    fn poll_produce<'a>(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Row, VecBuffer<Row>>,
        _finish: bool,
    ) -> Poll<Result<StreamResult>> {
        // A read of no rows only asks whether there are any.
        if destination.remaining(store.as_context_mut()) == Some(0) && self.rows.len() > 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let next: Vec<Row> = self.rows.by_ref().take(ROWS_PER_READ).collect();
        destination.set_buffer(next.into());
        if self.rows.len() > 0 {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        self.in_use = None;
        Poll::Ready(Ok(StreamResult::Dropped))
    }
}
