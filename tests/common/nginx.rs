//! A real nginx with the RTMP module, which records what is pushed to it.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::child::Program;
use super::{eventually, http_client};

/// Where Debian and Ubuntu put the module.
const MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// One server with one application, `live`; every stream is recorded as `NAME.flv`.
pub struct Nginx {
    pub rtmp: SocketAddr,
    http: SocketAddr,
    directory: TempDir,
    program: Program,
    client: reqwest::Client,
}

impl Nginx {
    /// Starts a server on free ports and waits until it answers.
    pub async fn start() -> Nginx {
        // Another test may take a free port between our look and nginx's bind: nginx then ends, and others are picked.
        for _ in 0..10 {
            if let Some(nginx) = Nginx::try_start().await {
                return nginx;
            }
        }
        panic!("nginx does not start; ./scripts/test installs it");
    }

    async fn try_start() -> Option<Nginx> {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (rtmp, http) = (free_port(), free_port());
        write_configuration(directory.path(), rtmp, http);
        let mut command = Command::new(binary());
        command
            .arg("-p")
            .arg(directory.path())
            .arg("-c")
            .arg(directory.path().join("nginx.conf"))
            .args(["-e", "stderr"]);
        let program = Program::start("nginx", &mut command);
        let mut nginx = Nginx {
            rtmp,
            http,
            directory,
            program,
            client: http_client(),
        };
        let started = std::time::Instant::now();
        loop {
            if nginx.program.ended().is_some() {
                eprintln!("nginx ended: {}", nginx.program.output());
                return None;
            }
            if nginx.statistics().await.is_some() {
                return Some(nginx);
            }
            assert!(
                started.elapsed() < Duration::from_secs(20),
                "nginx answers: {}",
                nginx.program.output()
            );
            tokio::time::sleep(super::POLL).await;
        }
    }

    /// The URL to push a stream to.
    pub fn url(&self, name: &str) -> String {
        format!("rtmp://{}/live/{name}", self.rtmp)
    }

    /// Whether a publisher of this name is connected now.
    pub async fn has_publisher(&self, name: &str) -> bool {
        let page = self.statistics().await.expect("nginx's statistics");
        page.contains(&format!("<name>{name}</name>"))
    }

    /// The bytes recorded so far of a stream.
    pub fn recorded_bytes(&self, name: &str) -> u64 {
        std::fs::metadata(self.recording_path(name)).map_or(0, |file| file.len())
    }

    /// The finished recording of a stream: waits until its publisher has gone.
    pub async fn recording(&self, name: &str) -> PathBuf {
        eventually(
            &format!("nginx has done with {name}"),
            Duration::from_secs(15),
            || async {
                (!self.has_publisher(name).await && self.recorded_bytes(name) > 0).then_some(())
            },
        )
        .await;
        self.recording_path(name)
    }

    fn recording_path(&self, name: &str) -> PathBuf {
        self.directory
            .path()
            .join("recordings")
            .join(format!("{name}.flv"))
    }

    async fn statistics(&self) -> Option<String> {
        let answer = self
            .client
            .get(format!("http://{}/stat", self.http))
            .send()
            .await
            .ok()?;
        answer.error_for_status().ok()?.text().await.ok()
    }
}

fn write_configuration(directory: &Path, rtmp: SocketAddr, http: SocketAddr) {
    std::fs::create_dir(directory.join("recordings")).expect("a new directory");
    let place = directory.display();
    // One process that ends with the signal to it: a master would leave its worker behind when killed.
    let configuration = format!(
        "load_module {MODULE};
        daemon off;
        master_process off;
        worker_processes 1;
        pid {place}/pid;
        error_log {place}/error.log notice;
        events {{ worker_connections 256; }}
        rtmp {{
            server {{
                listen {rtmp};
                application live {{
                    live on;
                    record all;
                    record_path {place}/recordings;
                    record_unique off;
                }}
            }}
        }}
        http {{
            access_log off;
            client_body_temp_path {place}/client_body;
            proxy_temp_path {place}/proxy;
            fastcgi_temp_path {place}/fastcgi;
            uwsgi_temp_path {place}/uwsgi;
            scgi_temp_path {place}/scgi;
            server {{
                listen {http};
                location /stat {{ rtmp_stat all; }}
            }}
        }}
        "
    );
    let mut file = std::fs::File::create(directory.join("nginx.conf")).expect("a new file");
    file.write_all(configuration.as_bytes())
        .expect("nginx.conf is written");
}

fn binary() -> PathBuf {
    // Debian keeps it out of a user's PATH.
    let usual = PathBuf::from("/usr/sbin/nginx");
    if usual.exists() {
        usual
    } else {
        PathBuf::from("nginx")
    }
}

fn free_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener
        .local_addr()
        .expect("a bound socket has an address")
}
