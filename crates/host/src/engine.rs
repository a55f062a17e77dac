//! Wasmtime: its configuration, the linker with everything a guest may import, and compiling. The
//! generic code of all WASI bindings is compiled with this crate and takes about two minutes.
use crate::app::Host;
use crate::{key_value, sqlite_api, variables};
use std::path::{Path, PathBuf};
use wasmtime::component::{Component, InstancePre, Linker};
use wasmtime::error::Context as _;
use wasmtime::{
    Cache, CacheConfig, Config, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, Result, bail,
};
use wasmtime_wasi_http::{p2, p3};

/// Instances that may exist at once, over all components.
const MAX_INSTANCES: u32 = 2000;
/// A component holds several core instances, tables among them, but one memory.
const MAX_CORE_INSTANCES: u32 = 8 * MAX_INSTANCES;
/// A guest's memory, in bytes.
const MAX_GUEST_MEMORY: usize = 512 << 20;
/// What of an instance's memory is kept resident for the next instance, in bytes.
const KEPT_MEMORY: usize = 256 << 10;
/// What of its tables is kept, in bytes.
const KEPT_TABLE: usize = 64 << 10;
/// Slots that are kept ready though no instance uses them.
const KEPT_SLOTS: u32 = 64;

/// An engine that keeps compiled components in `cache`, so that the second start is fast.
///
/// # Errors
/// When the cache folder cannot be used.
pub fn engine(cache: &Path) -> Result<Engine> {
    let mut config = Config::new();
    config.wasm_component_model_async(true);
    let mut pool = PoolingAllocationConfig::default();
    pool.total_component_instances(MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        .total_core_instances(MAX_CORE_INSTANCES)
        .total_tables(MAX_CORE_INSTANCES)
        .max_memory_size(MAX_GUEST_MEMORY)
        .linear_memory_keep_resident(KEPT_MEMORY)
        .table_keep_resident(KEPT_TABLE)
        .max_unused_warm_slots(KEPT_SLOTS);
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    // Wasmtime's own cache: its key is the wasm file and everything that the compiled code depends on.
    let mut folder = CacheConfig::new();
    folder.with_directory(std::path::absolute(cache)?);
    let cache = Cache::new(folder).with_context(|| format!("cannot use the cache {}", cache.display()))?;
    config.cache(Some(cache));
    Engine::new(&config)
}

/// Everything a guest may import.
///
/// # Errors
/// Only by a mistake in this crate. What no component imports is not checked here.
pub fn linker(engine: &Engine) -> Result<Linker<Host>> {
    let mut linker = Linker::new(engine);
    // A WASI 0.3 component imports 0.2 interfaces too: the standard library uses them.
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    wasmtime_wasi::p3::add_to_linker(&mut linker)?;
    p2::add_only_http_to_linker_async(&mut linker)?;
    p3::add_to_linker(&mut linker)?;
    sqlite_api::add_to_linker(&mut linker)?;
    key_value::add_to_linker(&mut linker)?;
    variables::add_to_linker(&mut linker)?;
    Ok(linker)
}

/// Compiles components side by side. Each is (name, file); the answers come in the same order.
///
/// # Errors
/// When a file is missing, is no component, or imports what this runtime does not have.
pub fn compile(linker: &Linker<Host>, files: &[(&str, PathBuf)]) -> Result<Vec<InstancePre<Host>>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = files
            .iter()
            .map(|(name, file)| {
                scope.spawn(move || {
                    compile_one(linker, file)
                        .with_context(|| format!("the component `{name}` cannot be loaded"))
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| bail!("the compiler panicked")))
            .collect()
    })
}

fn compile_one(linker: &Linker<Host>, file: &Path) -> Result<InstancePre<Host>> {
    if !file.exists() {
        bail!("there is no {}: build the components with scripts/build", file.display());
    }
    let component = Component::from_file(linker.engine(), file)?;
    linker.instantiate_pre(&component)
}
