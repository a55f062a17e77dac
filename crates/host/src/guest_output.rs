//! What guests print: every line goes to this process's standard error with the component's name
//! before it. Standard output belongs to the runtime.
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// A line longer than this is broken, in bytes: a guest must not fill the memory.
const MAX_LINE: usize = 64 * 1024;

/// The standard output or standard error of a component's instances.
pub struct GuestOutput {
    component: Arc<str>,
}

impl GuestOutput {
    /// For the named component.
    pub fn new(component: Arc<str>) -> Self {
        Self { component }
    }
}

impl IsTerminal for GuestOutput {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for GuestOutput {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Lines { component: self.component.clone(), unfinished: Vec::new() })
    }
}

struct Lines {
    component: Arc<str>,
    unfinished: Vec<u8>,
}

impl Lines {
    /// Prints and forgets the first `length` bytes.
    fn print(&mut self, length: usize) {
        let line: Vec<u8> = self.unfinished.drain(..length).collect();
        let line = String::from_utf8_lossy(&line);
        // Nobody can be told that standard error is closed.
        let _ = writeln!(io::stderr().lock(), "[{}] {}", self.component, line.trim_end_matches(['\r', '\n']));
    }
}

impl AsyncWrite for Lines {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            self.print(end.saturating_add(1));
        }
        if self.unfinished.len() > MAX_LINE {
            self.print(MAX_LINE);
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.unfinished.is_empty() {
            self.print(self.unfinished.len());
        }
    }
}
