//! A program under test's control: its output is kept, and it ends with the value.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use super::eventually;

/// A running program whose standard output and error are both kept, interleaved as they came.
pub struct Program {
    name: String,
    child: Child,
    output: Arc<Mutex<Vec<u8>>>,
    readers: Vec<JoinHandle<()>>,
}

impl Program {
    /// Starts `command` with its output captured and nothing on standard input.
    pub fn start(name: &str, command: &mut Command) -> Program {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{name} does not start: {error}; ./scripts/test installs it")
            });
        let output = Arc::new(Mutex::new(Vec::new()));
        let readers = vec![
            keep(
                child.stdout.take().expect("stdout is piped"),
                output.clone(),
            ),
            keep(
                child.stderr.take().expect("stderr is piped"),
                output.clone(),
            ),
        ];
        Program {
            name: name.to_owned(),
            child,
            output,
            readers,
        }
    }

    /// The process id, while the program runs.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed so far.
    pub fn output(&self) -> String {
        String::from_utf8_lossy(&self.output.lock().unwrap()).into_owned()
    }

    /// How it ended, if it has; its output is then complete.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        let ended = self
            .child
            .try_wait()
            .expect("a child of ours can be waited for");
        if ended.is_some() {
            self.join_readers();
        }
        ended
    }

    /// Waits for the program to end by itself; its output is then complete.
    pub async fn wait(&mut self, within: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        let child = &mut self.child;
        let status = eventually(&what, within, || {
            let ended = child.try_wait().expect("a child of ours can be waited for");
            async move { ended }
        })
        .await;
        self.join_readers();
        status
    }

    /// Waits for a program that has to end well.
    pub async fn succeed(&mut self, within: Duration) {
        let status = self.wait(within).await;
        assert!(
            status.success(),
            "{} ended with {status}:\n{}",
            self.name,
            self.output()
        );
    }

    /// Sends a signal by name, such as `TERM`.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(self.pid().to_string())
            .status()
            .expect("kill is there");
        assert!(status.success(), "{} takes SIG{signal}", self.name);
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join_readers();
    }

    fn join_readers(&mut self) {
        for reader in self.readers.drain(..) {
            let _ = reader.join();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let output = self.output();
            let tail: Vec<&str> = output.lines().rev().take(40).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            eprintln!("--- the last lines of {}:\n{}", self.name, tail.join("\n"));
        }
    }
}

fn keep(mut from: impl Read + Send + 'static, into: Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut piece = [0; 8192];
        while let Ok(n) = from.read(&mut piece) {
            if n == 0 {
                return;
            }
            into.lock().unwrap().extend_from_slice(&piece[..n]);
        }
    })
}
