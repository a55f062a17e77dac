//! The host as a child process that cannot outlive the tests.
//!
//! A test binary ends with `exit`, which drops no statics, and may be killed. So a shell stands
//! between: it waits for its stdin, which closes with our end, then kills the server with SIGKILL and
//! removes its data. The same way kills it on purpose, with the word `keep` to keep the data.
//! `FLOWNALLY_TESTS_KEEP=1` keeps all data folders, with the servers' logs, below the temporary folder.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::time::Duration;

/// Compiling all components takes this long at most, on a busy machine without their cache.
const START: Duration = Duration::from_secs(300);

/// `$1` is the data folder, the rest the server's command.
const GUARD: &str = r#"
data=$1; shift
trap '' INT TERM HUP
"$@" &
server=$!
exec >&-
read -r word
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
[ "$word" = keep ] || [ -n "$KEEP" ] || rm -rf "$data"
"#;

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// A running server.
pub struct Process {
    guard: Child,
    stdin: Option<ChildStdin>,
    pub data: PathBuf,
    /// `http://127.0.0.1:PORT`
    pub base: String,
    options: Options,
}

/// How a server is started.
#[derive(Clone, Debug)]
struct Options {
    variables: Vec<(String, String)>,
    statements: String,
}

impl Process {
    /// Starts the host with `variables` (`SPIN_VARIABLE_…`) on a free port and an empty data folder. The
    /// clock ticks there, unless `variables` name another `TICK_AUTHORITY`. `statements` is how SQLite is
    /// driven: `queued`, or `blocking` as in Spin.
    pub fn start(variables: &[(String, String)], statements: &str) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("flownally-tests-{}-{number}", std::process::id());
        let data = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let listen = free_address();
        let mut all = vec![("SPIN_VARIABLE_TICK_AUTHORITY".to_string(), listen.clone())];
        all.extend_from_slice(variables);
        let options = Options { variables: all, statements: statements.to_string() };
        let (guard, stdin, base) = launch(&data, &listen, &options);
        Process { guard, stdin: Some(stdin), data, base, options }
    }

    /// Kills the server with SIGKILL; its data stay.
    pub fn kill(&mut self) {
        let mut stdin = self.stdin.take().expect("already killed");
        stdin.write_all(b"keep\n").unwrap();
        drop(stdin);
        self.guard.wait().unwrap();
    }

    /// Starts the killed server again, with the same data on the same port.
    pub fn start_again(&mut self) {
        assert!(self.stdin.is_none(), "kill it first");
        let listen = self.base.trim_start_matches("http://").to_string();
        let (guard, stdin, base) = launch(&self.data, &listen, &self.options);
        assert_eq!(base, self.base);
        (self.guard, self.stdin) = (guard, Some(stdin));
    }

    /// The end of what the server wrote to stderr.
    pub fn log(&self) -> String {
        log(&self.data)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.stdin.take().is_some() {
            let _ = self.guard.wait();
        } else {
            let _ = std::fs::remove_dir_all(&self.data);
        }
    }
}

/// An address nobody listens on: a manifest's variables must name it before the server runs.
fn free_address() -> String {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn launch(data: &Path, listen: &str, options: &Options) -> (Child, ChildStdin, String) {
    let stderr = std::fs::File::options().create(true).append(true).open(data.join("log")).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", GUARD, "sh"])
        .arg(data)
        .arg(host())
        .args(["--listen", listen, "--statements", &options.statements, "--from"])
        .arg(repository().join("spin.toml"))
        .arg("--data")
        .arg(data)
        .arg("--components")
        .arg(components())
        .arg("--cache")
        .arg(target().join("flownally-tests-cache"))
        .env_clear()
        .envs(
            ["PATH", "HOME", "TMPDIR", "RUST_LOG"]
                .iter()
                .filter_map(|name| Some((*name, std::env::var(name).ok()?))),
        )
        .env("KEEP", std::env::var_os("FLOWNALLY_TESTS_KEEP").unwrap_or_default())
        .envs(options.variables.iter().cloned())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr);
    let mut child = command.spawn().expect("sh starts");
    let stdin = child.stdin.take().unwrap();
    let stdout = BufReader::new(child.stdout.take().unwrap());
    let (found, address) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdout.lines().map_while(Result::ok) {
            if let Some(base) = line.strip_prefix("listening on ") {
                let _ = found.send(base.to_string());
            }
        }
    });
    match address.recv_timeout(START) {
        Ok(base) => (child, stdin, base),
        Err(_) => panic!("{} did not start:\n{}", host().display(), log(data)),
    }
}

fn log(data: &Path) -> String {
    let text = std::fs::read(data.join("log")).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(30)..].join("\n")
}

/// The clone these tests belong to.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The target folder: `CARGO_TARGET_DIR`, or the one that this test binary lies in.
fn target() -> PathBuf {
    if let Some(folder) = std::env::var_os("CARGO_TARGET_DIR") {
        return folder.into();
    }
    let binary = std::env::current_exe().unwrap();
    binary.ancestors().nth(3).unwrap().to_path_buf()
}

fn host() -> PathBuf {
    std::env::var_os("FLOWNALLY_HOST_BIN").map_or_else(|| target().join("host/flownally-host"), PathBuf::from)
}

fn components() -> PathBuf {
    std::env::var_os("FLOWNALLY_COMPONENTS")
        .map_or_else(|| target().join("wasm32-wasip2/quick"), PathBuf::from)
}
