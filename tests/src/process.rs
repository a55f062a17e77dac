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
    /// Of the command line, besides the usual ones.
    arguments: Vec<String>,
}

impl Process {
    /// Starts the host with `variables` (`SPIN_VARIABLE_…`) on a free port and an empty data folder. The
    /// clock ticks there, unless `variables` name another `TICK_AUTHORITY`. `statements` is how SQLite is
    /// driven: `queued`, or `blocking` as in Spin. `arguments` are added to the command line.
    pub fn start(variables: &[(String, String)], statements: &str, arguments: &[String]) -> Self {
        let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
        let name = format!("flownally-tests-{}-{number}", std::process::id());
        let data = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let listen = free_address();
        let mut all = vec![("SPIN_VARIABLE_TICK_AUTHORITY".to_string(), listen.clone())];
        all.extend_from_slice(variables);
        let options =
            Options { variables: all, statements: statements.to_string(), arguments: arguments.to_vec() };
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

    /// Other variables (names as in `spin.toml`) from the next start on.
    pub fn set_variables(&mut self, variables: &[(&str, &str)]) {
        for (name, value) in variables {
            let name = format!("SPIN_VARIABLE_{}", name.to_uppercase());
            self.options.variables.retain(|(known, _)| *known != name);
            self.options.variables.push((name, (*value).to_string()));
        }
    }

    /// The server's own process number: the only child of the shell between.
    fn number(&self) -> u32 {
        let guard = self.guard.id();
        let children = std::fs::read_to_string(format!("/proc/{guard}/task/{guard}/children")).unwrap();
        children.split_whitespace().next().and_then(|number| number.parse().ok()).expect("a running server")
    }

    /// The most memory that the server has had resident, in KiB, since [`Process::forget_peak`].
    pub fn memory_peak(&self) -> u64 {
        self.figure("status", "VmHWM:")
    }

    /// Begins to measure the peak anew.
    pub fn forget_peak(&self) {
        std::fs::write(format!("/proc/{}/clear_refs", self.number()), "5").unwrap();
    }

    /// How many bytes the server has read so far, files included.
    pub fn bytes_read(&self) -> u64 {
        self.figure("io", "rchar:")
    }

    fn figure(&self, file: &str, name: &str) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/{file}", self.number())).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// The file of the database.
    pub fn database(&self) -> PathBuf {
        self.data.join("sqlite_db.db")
    }

    /// The processor time that the server has used so far.
    pub fn processor_time(&self) -> Duration {
        // proc(5): utime and stime are the 14th and 15th field, in hundredths of a second; the second, the name,
        // may hold spaces.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.number())).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 10)
    }

    /// The memory that the server holds, in bytes.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.number())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Asks the server to stop, as a service manager does, and waits until it has: how long that took.
    pub fn stop(&mut self) -> Duration {
        let (server, began) = (self.number(), std::time::Instant::now());
        let status = Command::new("kill").args(["-TERM", &server.to_string()]).status().unwrap();
        assert!(status.success());
        // The guard waits for the server only after its own stdin ended: a zombie has ended.
        crate::wait_for("the server to stop", Duration::from_secs(30), || {
            let stat = std::fs::read_to_string(format!("/proc/{server}/stat")).unwrap_or_default();
            stat.rsplit_once(')').is_none_or(|(_, rest)| rest.trim_start().starts_with('Z')).then_some(())
        });
        began.elapsed()
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
        .args(&options.arguments)
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

/// The clone these tests belong to, as cargo says it at run time: clones that share a target folder may share this
/// binary.
pub fn repository() -> PathBuf {
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap());
    package.parent().unwrap().to_path_buf()
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
