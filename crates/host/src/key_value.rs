//! Key-value stores: all of them in one SQLite file with the table that Spin uses, so that data
//! survives a change of runtime. `spin:key-value@3.0.0` for WASI 0.3 guests and
//! `fermyon:spin/key-value@2.0.0` for WASI 0.2 ones.
use crate::app::Host;
use rusqlite::{Connection, OptionalExtension as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime::Result;
use wasmtime::component::{
    Accessor, ComponentType, FutureReader, Lift, Linker, Lower, Resource, ResourceType, StreamReader,
};
use wasmtime::error::Context as _;

/// `error`. Cases in the order of the WIT file.
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum Error {
    #[component(name = "store-table-full")]
    StoreTableFull,
    #[component(name = "no-such-store")]
    NoSuchStore,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "other")]
    Other(String),
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Other(error.to_string())
    }
}

/// The file. One connection reads on the calling thread, another writes on a blocking one: in WAL
/// mode neither waits for the other.
#[derive(Clone)]
pub struct KeyValue {
    reader: Arc<Mutex<Connection>>,
    writer: Arc<Mutex<Connection>>,
}

impl KeyValue {
    /// Opens (or makes) the file.
    ///
    /// # Errors
    /// When the file cannot be opened or is not a database.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || -> rusqlite::Result<Self> {
            let writer = Connection::open(path)?;
            writer.execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
                 CREATE TABLE IF NOT EXISTS spin_key_value (
                     store TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (store, key))",
            )?;
            let reader = Connection::open(path)?;
            Ok(Self { reader: Arc::new(reader.into()), writer: Arc::new(writer.into()) })
        };
        open().with_context(|| format!("cannot open the key-value stores {}", path.display()))
    }

    fn read<R>(&self, run: impl FnOnce(&Connection) -> rusqlite::Result<R>) -> Result<R, Error> {
        Ok(run(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))?)
    }

    async fn write(
        &self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<usize> + Send + 'static,
    ) -> Result<(), Error> {
        let writer = self.writer.clone();
        let written = tokio::task::spawn_blocking(move || {
            run(&writer.lock().unwrap_or_else(PoisonError::into_inner)).map(drop)
        });
        Ok(written.await.map_err(|error| Error::Other(error.to_string()))??)
    }
}

/// A guest's store.
#[derive(Clone)]
struct Store {
    label: String,
    key_value: KeyValue,
}

impl Store {
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.key_value.read(|sqlite| {
            sqlite
                .prepare_cached("SELECT value FROM spin_key_value WHERE store = ? AND key = ?")?
                .query_row((&self.label, key), |row| row.get(0))
                .optional()
        })
    }

    fn exists(&self, key: &str) -> Result<bool, Error> {
        self.key_value.read(|sqlite| {
            sqlite
                .prepare_cached("SELECT 1 FROM spin_key_value WHERE store = ? AND key = ?")?
                .exists((&self.label, key))
        })
    }

    fn keys(&self) -> Result<Vec<String>, Error> {
        self.key_value.read(|sqlite| {
            sqlite
                .prepare_cached("SELECT key FROM spin_key_value WHERE store = ?")?
                .query_map([&self.label], |row| row.get(0))?
                .collect()
        })
    }

    async fn set(self, key: String, value: Vec<u8>) -> Result<(), Error> {
        self.key_value
            .write(move |sqlite| {
                sqlite
                    .prepare_cached(
                        "INSERT OR REPLACE INTO spin_key_value (store, key, value) VALUES (?, ?, ?)",
                    )?
                    .execute((self.label, key, value))
            })
            .await
    }

    async fn delete(self, key: String) -> Result<(), Error> {
        self.key_value
            .write(move |sqlite| {
                sqlite
                    .prepare_cached("DELETE FROM spin_key_value WHERE store = ? AND key = ?")?
                    .execute((self.label, key))
            })
            .await
    }
}

fn open(host: &mut Host, label: String) -> Result<Result<Resource<Store>, Error>> {
    if !host.component.key_value_stores.contains(&label) {
        return Ok(Err(Error::AccessDenied));
    }
    let store = Store { label, key_value: host.app.key_value.clone() };
    Ok(Ok(host.table.push(store)?))
}

fn close(host: &mut Host, rep: u32) -> Result<()> {
    host.table.delete(Resource::<Store>::new_own(rep))?;
    Ok(())
}

fn store(host: &mut Host, handle: &Resource<Store>) -> Result<Store> {
    Ok(host.table.get(handle)?.clone())
}

// Parameters and results of linker functions are tuples, also when there is only one.
type Handle = (Resource<Store>,);
type Key = (Resource<Store>, String);
type Pair = (Resource<Store>, String, Vec<u8>);
type Keys = (StreamReader<String>, FutureReader<Result<(), Error>>);

/// Adds both versions.
pub fn add_to_linker(linker: &mut Linker<Host>) -> Result<()> {
    add_version_3(linker)?;
    add_version_2(linker)
}

fn add_version_3(linker: &mut Linker<Host>) -> Result<()> {
    let mut key_value = linker.instance("spin:key-value/key-value@3.0.0")?;
    key_value
        .resource("store", ResourceType::host::<Store>(), |mut access, rep| close(access.data_mut(), rep))?;
    key_value.func_wrap_concurrent("[static]store.open", |host: &Accessor<Host>, (label,): (String,)| {
        Box::pin(async move { Ok((host.with(|mut access| open(access.get(), label))?,)) })
    })?;
    key_value.func_wrap_concurrent("[method]store.get", |host, (handle, key): Key| {
        Box::pin(async move { Ok((host.with(|mut access| store(access.get(), &handle))?.get(&key),)) })
    })?;
    key_value.func_wrap_concurrent("[method]store.set", |host, (handle, key, value): Pair| {
        Box::pin(async move {
            let store = host.with(|mut access| store(access.get(), &handle))?;
            Ok((store.set(key, value).await,))
        })
    })?;
    key_value.func_wrap_concurrent("[method]store.delete", |host, (handle, key): Key| {
        Box::pin(async move {
            let store = host.with(|mut access| store(access.get(), &handle))?;
            Ok((store.delete(key).await,))
        })
    })?;
    key_value.func_wrap_concurrent("[method]store.exists", |host, (handle, key): Key| {
        Box::pin(async move { Ok((host.with(|mut access| store(access.get(), &handle))?.exists(&key),)) })
    })?;
    key_value.func_wrap_concurrent("[method]store.get-keys", |host, (handle,): Handle| {
        Box::pin(async move {
            let (keys, end) = match host.with(|mut access| store(access.get(), &handle))?.keys() {
                Ok(keys) => (keys, Ok(())),
                Err(error) => (Vec::new(), Err(error)),
            };
            host.with(|mut access| -> Result<(Keys,)> {
                let keys = StreamReader::new(&mut access, keys)?;
                let end = FutureReader::new(&mut access, async { wasmtime::error::Ok(end) })?;
                Ok(((keys, end),))
            })
        })
    })
}

fn add_version_2(linker: &mut Linker<Host>) -> Result<()> {
    let mut key_value = linker.instance("fermyon:spin/key-value@2.0.0")?;
    key_value
        .resource("store", ResourceType::host::<Store>(), |mut access, rep| close(access.data_mut(), rep))?;
    key_value.func_wrap("[static]store.open", |mut access, (label,): (String,)| {
        Ok((open(access.data_mut(), label)?,))
    })?;
    key_value.func_wrap("[method]store.get", |mut access, (handle, key): Key| {
        Ok((store(access.data_mut(), &handle)?.get(&key),))
    })?;
    key_value.func_wrap_async("[method]store.set", |mut access, (handle, key, value): Pair| {
        Box::new(async move { Ok((store(access.data_mut(), &handle)?.set(key, value).await,)) })
    })?;
    key_value.func_wrap_async("[method]store.delete", |mut access, (handle, key): Key| {
        Box::new(async move { Ok((store(access.data_mut(), &handle)?.delete(key).await,)) })
    })?;
    key_value.func_wrap("[method]store.exists", |mut access, (handle, key): Key| {
        Ok((store(access.data_mut(), &handle)?.exists(&key),))
    })?;
    key_value.func_wrap("[method]store.get-keys", |mut access, (handle,): Handle| {
        Ok((store(access.data_mut(), &handle)?.keys(),))
    })
}
