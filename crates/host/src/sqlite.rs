//! SQLite as Spin offers it: one file for each label, one SQLite connection for each connection that
//! a guest opens, opened at its first statement. Spin sets nothing on a connection: the journal mode is
//! the file's own, foreign keys are on (the bundled SQLite is built that way) and a busy database is
//! retried for 5 s.
//!
//! Two ways to run a statement:
//! - `blocking`, as in Spin: on a thread for blocking work, waiting for locks in SQLite itself.
//! - `queued`, the default: on the calling thread, after writers have taken turns in a fair queue.
//!   Nothing then waits inside SQLite, so no thread is needed, and transactions under load are
//!   several times faster. It holds for one process per database file.
use crate::idle_connections::{IdleConnections, is_traceless};
use crate::sqlite_api::{Error, QueryResult, Row, Value};
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Statement, TransactionState, fallible_iterator::FallibleIterator as _};
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{Mutex, OwnedMutexGuard};
use wasmtime::error::Context as _;

/// How long a writer waits for its turn: Spin's (rusqlite's) busy timeout. A guest's own
/// `PRAGMA busy_timeout` has no say in it: ours is 0 because a wait inside SQLite is unfair and stops
/// an instance; the queue is fair.
const TURN_WAIT: Duration = Duration::from_secs(5);
/// How often a synchronous statement that waits looks whether its own instance got the turn.
const OWN_TURN_CHECK: Duration = Duration::from_millis(2);
/// Prepared statements kept for each connection.
const STATEMENT_CACHE: usize = 128;

/// Where statements run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatementMode {
    /// On the calling thread, writers in turn.
    #[default]
    Queued,
    /// On a blocking thread each, as Spin does.
    Blocking,
}

impl FromStr for StatementMode {
    type Err = String;

    fn from_str(mode: &str) -> Result<Self, String> {
        match mode {
            "queued" => Ok(Self::Queued),
            "blocking" => Ok(Self::Blocking),
            _ => Err("must be `queued` or `blocking`".to_string()),
        }
    }
}

/// Which kind of function the guest called. A synchronous one stops its whole instance meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// `execute`
    Sync,
    /// `execute-async`
    Async,
}

/// What the connections of one instance know of each other. A synchronous statement stops its whole
/// instance, so it must never wait for a connection of the same instance.
pub struct Instance {
    id: u64,
    /// Asynchronous statements of the instance that wait for a turn.
    waiting: AtomicUsize,
}

impl Instance {
    /// A new instance, different from all others.
    pub fn new() -> Arc<Self> {
        static COUNT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self { id: COUNT.fetch_add(1, Ordering::Relaxed), waiting: AtomicUsize::new(0) })
    }
}

/// Counts one waiting statement while it lives.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One database file.
pub struct Database {
    path: PathBuf,
    mode: StatementMode,
    writers: Arc<Mutex<()>>,
    /// The instance whose connection has the turn; 0 is none.
    holder: Arc<AtomicU64>,
    /// Empty in the mode `blocking`.
    idle: IdleConnections,
    /// The last connection that closes would checkpoint and delete the WAL; instances come and go.
    _anchor: std::sync::Mutex<rusqlite::Connection>,
}

impl Database {
    /// Opens (or makes) the file.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database.
    pub fn open(path: PathBuf, mode: StatementMode) -> wasmtime::Result<Self> {
        let open = || -> rusqlite::Result<_> {
            let anchor = rusqlite::Connection::open(&path)?;
            // SQLite opens lazily: a connection that has not read yet does not keep the WAL.
            anchor.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
            Ok(anchor)
        };
        let anchor = open().with_context(|| format!("cannot open the database {}", path.display()))?;
        Ok(Self {
            path,
            mode,
            writers: Arc::default(),
            holder: Arc::default(),
            idle: IdleConnections::default(),
            _anchor: anchor.into(),
        })
    }
}

/// A writer's turn. Given back when dropped.
struct Turn {
    holder: Arc<AtomicU64>,
    _guard: OwnedMutexGuard<()>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.holder.store(0, Ordering::Relaxed);
    }
}

/// What stands behind a guest's connection.
pub struct State {
    database: Arc<Database>,
    opened: Option<Opened>,
    /// Given back after [`State::drop`], which rolls an open transaction back.
    turn: Option<Turn>,
}

struct Opened {
    sqlite: rusqlite::Connection,
    /// Whether another guest may have it later.
    reusable: bool,
    /// Its changes before this guest had it.
    changes_before: u64,
}

/// A guest's connection. Clones share it.
#[derive(Clone)]
pub struct Connection {
    database: Arc<Database>,
    instance: Arc<Instance>,
    state: Arc<Mutex<State>>,
}

/// A connection that is in use: by a statement, or by rows that are not read yet.
pub type InUse = OwnedMutexGuard<State>;

enum Attempt {
    Finished(Result<QueryResult, Error>),
    NeedsTurn,
}

impl Connection {
    /// A connection of the given instance, not opened yet.
    pub fn new(database: Arc<Database>, instance: Arc<Instance>) -> Self {
        let state = State { database: database.clone(), opened: None, turn: None };
        Self { database, instance, state: Arc::new(Mutex::new(state)) }
    }

    /// Runs one statement. The second part keeps the connection in use until it is dropped.
    pub async fn execute(
        &self,
        sql: String,
        parameters: Vec<Value>,
        call: Call,
    ) -> (Result<QueryResult, Error>, Option<InUse>) {
        let mut state = self.state.clone().lock_owned().await;
        if self.database.mode == StatementMode::Blocking {
            let run = tokio::task::spawn_blocking(move || {
                let result = state.open(&sql).and_then(|sqlite| query(sqlite, &sql, &parameters));
                (result, Some(state))
            });
            return run.await.unwrap_or_else(|error| (Err(Error::Io(error.to_string())), None));
        }
        loop {
            if let Attempt::Finished(result) = self.attempt(&mut state, &sql, &parameters) {
                return (result, Some(state));
            }
            match self.wait_for_turn(call).await {
                Ok(turn) => state.turn = Some(turn),
                Err(error) => return (Err(error), Some(state)),
            }
        }
    }

    /// Runs a statement here and now, unless it writes and another connection has the turn.
    fn attempt(&self, state: &mut State, sql: &str, parameters: &[Value]) -> Attempt {
        let holds_turn = state.turn.is_some();
        let sqlite = match state.open(sql) {
            Ok(sqlite) => sqlite,
            Err(error) => return Attempt::Finished(Err(error)),
        };
        let mut turn = None;
        let result = with_statement(sqlite, sql, |statement| {
            // `readonly` is false for BEGIN IMMEDIATE and true for BEGIN, as it should be here. A
            // connection that already writes has no one to wait for.
            let writing = || matches!(sqlite.transaction_state(None::<&str>), Ok(TransactionState::Write));
            if !holds_turn && !statement.readonly() && !writing() {
                match self.database.writers.clone().try_lock_owned() {
                    Ok(guard) => turn = Some(self.turn(guard)),
                    Err(_) => return Ok(None),
                }
            }
            collect(statement, parameters).map(Some)
        });
        let autocommit = sqlite.is_autocommit();
        if autocommit {
            state.turn = None;
        } else if turn.is_some() {
            state.turn = turn;
        }
        match result {
            Ok(Some(result)) => Attempt::Finished(Ok(result)),
            Ok(None) => Attempt::NeedsTurn,
            Err(error) => Attempt::Finished(Err(error)),
        }
    }

    fn turn(&self, guard: OwnedMutexGuard<()>) -> Turn {
        self.database.holder.store(self.instance.id, Ordering::Relaxed);
        Turn { holder: self.database.holder.clone(), _guard: guard }
    }

    /// Queues for the turn.
    async fn wait_for_turn(&self, call: Call) -> Result<Turn, Error> {
        let locked = || Error::Io("database is locked".to_string());
        let next = self.database.writers.clone().lock_owned();
        if call == Call::Async {
            let _waiting = Waiting::new(&self.instance.waiting);
            let guard = tokio::time::timeout(TURN_WAIT, next).await.map_err(|_| locked())?;
            return Ok(self.turn(guard));
        }
        let mut next = std::pin::pin!(next);
        let mut limit = std::pin::pin!(tokio::time::sleep(TURN_WAIT));
        loop {
            // The instance stands still meanwhile: a transaction of its own could not go on, a
            // statement of its own that is before this one in the queue could not take its turn.
            let own = self.database.holder.load(Ordering::Relaxed) == self.instance.id
                || self.instance.waiting.load(Ordering::Relaxed) > 0;
            if own {
                return Err(locked());
            }
            tokio::select! {
                guard = &mut next => return Ok(self.turn(guard)),
                () = &mut limit => return Err(locked()),
                () = tokio::time::sleep(OWN_TURN_CHECK) => {}
            }
        }
    }

    /// The rowid of the last insert, 0 before the first.
    pub async fn last_insert_rowid(&self) -> i64 {
        self.state.lock().await.changed().map_or(0, rusqlite::Connection::last_insert_rowid)
    }

    /// Rows changed by the last statement that changed any.
    pub async fn changes(&self) -> u64 {
        self.state.lock().await.changed().map_or(0, rusqlite::Connection::changes)
    }
}

impl State {
    /// The SQLite connection, for running `sql` on it.
    fn open(&mut self, sql: &str) -> Result<&rusqlite::Connection, Error> {
        let opened = match &mut self.opened {
            Some(opened) => opened,
            closed => {
                let sqlite = match self.database.idle.take() {
                    Some(sqlite) => sqlite,
                    None => {
                        let sqlite = rusqlite::Connection::open(&self.database.path)?;
                        sqlite.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
                        sqlite
                    }
                };
                let changes_before = sqlite.total_changes();
                closed.insert(Opened { sqlite, reusable: true, changes_before })
            }
        };
        opened.reusable = opened.reusable && is_traceless(sql);
        Ok(&opened.sqlite)
    }

    /// The connection if this guest changed anything through it.
    fn changed(&self) -> Option<&rusqlite::Connection> {
        let opened = self.opened.as_ref()?;
        (opened.sqlite.total_changes() != opened.changes_before).then_some(&opened.sqlite)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        if let Some(opened) = self.opened.take()
            && opened.reusable
            && self.database.mode == StatementMode::Queued
        {
            self.database.idle.give(opened.sqlite);
        }
    }
}

fn query(sqlite: &rusqlite::Connection, sql: &str, parameters: &[Value]) -> Result<QueryResult, Error> {
    with_statement(sqlite, sql, |statement| collect(statement, parameters))
}

/// Prepares the first statement of `sql`. Spin never looks at the text behind it, rusqlite refuses
/// any: a batch stops after the first as well.
fn with_statement<R>(
    sqlite: &rusqlite::Connection,
    sql: &str,
    run: impl FnOnce(&mut Statement<'_>) -> Result<R, Error>,
) -> Result<R, Error> {
    let error = match sqlite.prepare_cached(sql) {
        Ok(mut statement) => return run(&mut statement),
        Err(error) => error,
    };
    match Batch::new(sqlite, sql).next() {
        Ok(Some(mut statement)) => run(&mut statement),
        _ => Err(error.into()),
    }
}

fn collect(statement: &mut Statement<'_>, parameters: &[Value]) -> Result<QueryResult, Error> {
    let columns: Vec<String> = statement.column_names().map(String::from).collect();
    let width = columns.len();
    let mut found = statement.query(rusqlite::params_from_iter(parameters))?;
    let mut rows = Vec::new();
    while let Some(row) = found.next()? {
        let mut values = Vec::with_capacity(width);
        for column in 0..width {
            values.push(match row.get_ref(column)? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(value) => Value::Integer(value),
                ValueRef::Real(value) => Value::Real(value),
                ValueRef::Blob(value) => Value::Blob(value.to_vec()),
                // Spin panics here; an error is what a guest can be tested with.
                ValueRef::Text(value) => Value::Text(
                    String::from_utf8(value.to_vec())
                        .map_err(|_| Error::Io(format!("column {column} is TEXT that is not UTF-8")))?,
                ),
            });
        }
        rows.push(Row { values });
    }
    Ok(QueryResult { columns, rows })
}
