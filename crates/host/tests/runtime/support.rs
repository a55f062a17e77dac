//! Builds the guests and starts the binary.
use crate::client::{self, Response};
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

const BINARY: &str = env!("CARGO_BIN_EXE_flownally-host");

/// One WASI 0.3 component that has everything and answers all paths.
pub const PROBE: &str = r#"
    [[trigger.http]]
    route = "/..."
    component = "probe"
    [component.probe]
    source = "host_probe_p3.wasm"
    sqlite_databases = ["default"]
    key_value_stores = ["default"]
    allowed_outbound_hosts = ["http://127.0.0.1:*", "http://localhost:*"]
"#;

/// This package's folder, as cargo says it at run time: clones that share a target folder may share this binary.
pub fn package() -> PathBuf {
    PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap())
}

/// The folder of the guests' wasm files. Builds them at the first call; cargo's own lock keeps test
/// processes that run side by side apart. `WASM_TOOLCHAIN` names the toolchain that has the target.
pub fn guests() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // The binary is at <target>/<profile>/flownally-host.
        let target = Path::new(BINARY).ancestors().nth(2).unwrap();
        let mut cargo = Command::new("cargo");
        if let Ok(toolchain) = std::env::var("WASM_TOOLCHAIN") {
            cargo.env_remove("RUSTUP_TOOLCHAIN").arg(format!("+{toolchain}"));
        }
        let status = cargo
            .args([
                "build",
                "--quiet",
                "--locked",
                "--profile",
                "probe",
                "--target",
                "wasm32-wasip2",
                "--target-dir",
            ])
            .arg(target)
            .current_dir(package().join("tests/guests"))
            .status()
            .unwrap();
        assert!(status.success(), "the guests cannot be built");
        target.join("wasm32-wasip2/probe")
    })
}

/// A new empty folder, removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("host-test-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The command for a manifest, whose head is added here. Data and errors go into the folder.
pub fn command(folder: &Folder, manifest: &str, arguments: &[&str]) -> Command {
    let manifest = format!("spin_manifest_version = 2\n[application]\nname = \"test\"\n{manifest}");
    let mut command = Command::new(BINARY);
    command
        .args(["--listen", "127.0.0.1:0", "--from"])
        .arg(folder.write("spin.toml", &manifest))
        .arg("--data")
        .arg(folder.path().join("data"))
        .arg("--components")
        .arg(guests())
        .arg("--cache")
        .arg(guests().join("cache"))
        .args(arguments)
        .env("RUST_BACKTRACE", "0")
        .stdout(Stdio::piped())
        .stderr(File::create(folder.path().join("errors")).unwrap());
    command
}

/// A running server.
pub struct Server {
    pub address: String,
    folder: Option<Folder>,
    child: Child,
}

impl Server {
    pub fn start(manifest: &str, arguments: &[&str]) -> Self {
        Self::start_in(Folder::new(), manifest, arguments)
    }

    /// Starts with the data that is in the folder.
    pub fn start_in(folder: Folder, manifest: &str, arguments: &[&str]) -> Self {
        let mut command = command(&folder, manifest, arguments);
        Self::spawn(folder, &mut command)
    }

    pub fn spawn(folder: Folder, command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let server = |address: &str| Self { address: address.to_string(), folder: Some(folder), child };
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => server(address),
            None => panic!("it did not start: {line:?} {}", server("").errors()),
        }
    }

    pub fn get(&self, path: &str) -> Response {
        client::send(&self.address, "GET", path, "", "").unwrap()
    }

    /// The body of the answer to a POST, which must be 200.
    pub fn ask(&self, path: &str, body: &str) -> String {
        let response = client::send(&self.address, "POST", path, "", body).unwrap();
        assert_eq!(response.status, 200, "{path} {body}: {}", self.errors());
        response.body
    }

    /// What it wrote to standard error so far.
    pub fn errors(&self) -> String {
        let folder = self.folder.as_ref().unwrap();
        std::fs::read_to_string(folder.path().join("errors")).unwrap()
    }

    /// Waits until standard error holds the text.
    pub fn wait_for_error(&self, text: &str) {
        eventually(|| self.errors().contains(text), || format!("no {text:?} in {}", self.errors()));
    }

    pub fn data(&self) -> PathBuf {
        self.folder.as_ref().unwrap().path().join("data")
    }

    pub fn terminate(&self) {
        let killed = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
    }

    /// Waits for the end; the exit code and the folder with its data.
    pub fn wait(mut self) -> (Option<i32>, Folder) {
        let code = self.child.wait().unwrap().code();
        (code, self.folder.take().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs `count` calls side by side and gives their answers.
pub fn together<R: Send>(count: usize, call: impl Fn(usize) -> R + Sync) -> Vec<R> {
    std::thread::scope(|scope| {
        let call = &call;
        let threads: Vec<_> = (0..count).map(|index| scope.spawn(move || call(index))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Waits up to ten seconds for something.
pub fn eventually(is: impl Fn() -> bool, otherwise: impl Fn() -> String) {
    let end = Instant::now() + Duration::from_secs(10);
    while !is() {
        assert!(Instant::now() < end, "{}", otherwise());
        std::thread::sleep(Duration::from_millis(20));
    }
}
