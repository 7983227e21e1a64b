//! A small web server: files with ranges and without, and a live stream as FLV over HTTP that can be broken off.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::flv::{self, Tag};

/// The server; its connections end with the value.
pub struct Web {
    pub address: SocketAddr,
    state: Arc<watch::Sender<State>>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
}

/// What becomes of the live stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is sent.
    Up,
    /// Its connections stand, and nothing comes.
    Silent,
    /// Bytes come that are no FLV.
    Garbage,
    /// It is broken off, and there is none.
    Down,
    /// Everything ends.
    Over,
}

/// What is served.
#[derive(Clone, Default)]
pub struct Content {
    /// `/live.flv`, sent again and again in real time.
    pub live: Option<PathBuf>,
    /// So long that takes for its answer.
    pub delay: Duration,
    /// `/files/NAME`, and `/plain/NAME` without ranges.
    pub files: Vec<PathBuf>,
    /// `/moved` leads here.
    pub moved: String,
}

impl Web {
    pub async fn start(content: Content) -> Web {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let state = Arc::new(watch::Sender::new(State::Up));
        let requests = Arc::default();
        let web = Web {
            address,
            state: Arc::clone(&state),
            requests: Arc::clone(&requests),
        };
        tokio::spawn(async move {
            let mut over = state.subscribe();
            loop {
                let tcp = tokio::select! {
                    accepted = listener.accept() => accepted.expect("a connection").0,
                    _ = over.wait_for(|state| *state == State::Over) => return,
                };
                let (content, state) = (content.clone(), state.subscribe());
                let requests = Arc::clone(&requests);
                tokio::spawn(async move {
                    // Whoever leaves early is no fault.
                    let _ = serve(tcp, content, state, requests).await;
                });
            }
        });
        web
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}/{path}", self.address)
    }

    pub fn set(&self, state: State) {
        self.state.send_replace(state);
    }

    /// The first lines of all requests so far, with the range behind them.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().expect("a list").clone()
    }
}

impl Drop for Web {
    fn drop(&mut self) {
        self.set(State::Over);
    }
}

async fn serve(
    mut tcp: TcpStream,
    content: Content,
    state: watch::Receiver<State>,
    requests: Arc<std::sync::Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tcp.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let range = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        let from = line.strip_prefix("range: bytes=")?.strip_suffix('-')?;
        from.parse::<usize>().ok()
    });
    requests
        .lock()
        .expect("a list")
        .push(format!("{path} {range:?}"));
    if path.split('?').next() == Some("/live.flv") {
        tokio::time::sleep(content.delay).await;
        return match content.live {
            Some(file) if *state.borrow() != State::Down => {
                live(tcp, flv::read(&file), state).await
            }
            _ => answer(&mut tcp, "404 Not Found", "", b"").await,
        };
    }
    if path == "/moved" {
        let place = format!("Location: {}\r\n", content.moved);
        return answer(&mut tcp, "302 Found", &place, b"").await;
    }
    let name = path.rsplit('/').next().unwrap_or_default();
    let found = (content.files.iter()).find(|file| file.file_name().is_some_and(|its| its == name));
    let Some(file) = found else {
        return answer(&mut tcp, "404 Not Found", "", b"").await;
    };
    let bytes = std::fs::read(file)?;
    match range {
        Some(from) if path.starts_with("/files/") => {
            let rest = bytes.get(from..).unwrap_or_default();
            let last = bytes.len() - 1;
            let range = format!("Content-Range: bytes {from}-{last}/{}\r\n", bytes.len());
            answer(&mut tcp, "206 Partial Content", &range, rest).await
        }
        _ => answer(&mut tcp, "200 OK", "", &bytes).await,
    }
}

async fn answer(
    tcp: &mut TcpStream,
    status: &str,
    headers: &str,
    body: &[u8],
) -> std::io::Result<()> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n"
    );
    tcp.write_all(head.as_bytes()).await?;
    tcp.write_all(body).await?;
    tcp.shutdown().await
}

/// Sends the tags again and again, each at its time, on one clock, until the state says otherwise.
async fn live(
    mut tcp: TcpStream,
    tags: Vec<Tag>,
    mut state: watch::Receiver<State>,
) -> std::io::Result<()> {
    tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nConnection: close\r\n\r\n")
        .await?;
    tcp.write_all(flv::HEAD).await?;
    let length = tags
        .iter()
        .map(|tag| tag.timestamp)
        .max()
        .unwrap_or_default()
        + 40;
    let began = Instant::now();
    for round in 0.. {
        for tag in &tags {
            if round > 0 && !tag.is_frame() {
                continue;
            }
            let tag = Tag {
                timestamp: tag.timestamp + round * length,
                ..tag.clone()
            };
            let due = began + Duration::from_millis(tag.timestamp.into());
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                _ = state.wait_for(|state| matches!(state, State::Down | State::Over)) => return Ok(()),
            }
            let now = *state.borrow();
            match now {
                State::Silent => {}
                State::Garbage => tcp.write_all(&[7; 64]).await?,
                _ => tcp.write_all(&tag.written()).await?,
            }
        }
    }
    Ok(())
}
