//! The relays that are compared, and how each is started.

use crate::Outcome;
use crate::options::Options;
use crate::program::Program;
use crate::tls;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// Where Debian and Ubuntu put nginx's RTMP module.
const NGINX_MODULE: &str = "/usr/lib/nginx/modules/ngx_rtmp_module.so";

/// One row of the table.
#[derive(Clone, Debug)]
pub enum Contender {
    /// With the settings at which it costs least.
    Nginx,
    Aqueduct {
        window_ms: u64,
        build: Option<Build>,
        /// Whether its targets are reached over TLS.
        is_rtmps: bool,
    },
    /// A media server in Rust; it pushes under the publisher's own app and name.
    Xiu,
    /// Passes bytes on and looks at none of them: what a relay can reach.
    Raw {
        window_ms: u64,
    },
    Other {
        name: String,
        command: String,
    },
}

/// A way to start a program, and what it is called in the table.
#[derive(Clone, Debug)]
pub struct Build {
    name: String,
    command: String,
}

/// A relay that runs.
pub struct Relay {
    pub program: Program,
    /// Where it tells its figures, if it does.
    http: Option<u16>,
    _directory: TempDir,
}

/// Where a relay listens, and where it pushes to.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    pub rtmp: u16,
    pub sink: u16,
}

/// The contenders that were asked for.
pub fn chosen(options: &Options) -> Outcome<Vec<Contender>> {
    let parse = |name: &String| {
        let window = |text: &str| {
            text.parse()
                .map_err(|_| format!("{name}: not a window in ms"))
        };
        Ok(match name.split_once(':') {
            None if name == "nginx" => Contender::Nginx,
            None if name == "xiu" => Contender::Xiu,
            Some((scheme @ ("aqueduct" | "rtmps"), text)) => {
                let (text, build) = match text.split_once('@') {
                    Some((text, build)) => (text, Some(named(&options.builds, build)?)),
                    None => (text, None),
                };
                Contender::Aqueduct {
                    window_ms: window(text)?,
                    build,
                    is_rtmps: scheme == "rtmps",
                }
            }
            Some(("raw", text)) => Contender::Raw {
                window_ms: window(text)?,
            },
            _ => other(options, name)?,
        })
    };
    options.contenders.iter().map(parse).collect()
}

fn other(options: &Options, name: &str) -> Outcome<Contender> {
    let Build { name, command } = named(&options.relays, name)?;
    Ok(Contender::Other { name, command })
}

/// The one of this name among those given as NAME=COMMAND.
fn named(given: &[String], name: &str) -> Outcome<Build> {
    let mut given = given.iter().filter_map(|given| given.split_once('='));
    let (name, command) = given
        .find(|(known, _)| *known == name)
        .ok_or_else(|| format!("{name}: neither known nor given with --relay or --build"))?;
    Ok(Build {
        name: name.to_owned(),
        command: command.to_owned(),
    })
}

impl Contender {
    pub fn name(&self) -> String {
        match self {
            Self::Nginx => "nginx-rtmp".to_owned(),
            Self::Xiu => "xiu".to_owned(),
            Self::Aqueduct {
                window_ms,
                build,
                is_rtmps,
            } => {
                let name = if *is_rtmps {
                    "Aqueduct, RTMPS"
                } else {
                    "Aqueduct"
                };
                match build {
                    Some(build) => format!("{name} ({}), {window_ms} ms", build.name),
                    None => format!("{name}, {window_ms} ms"),
                }
            }
            Self::Raw { window_ms } => format!("raw fan-out, {window_ms} ms"),
            Self::Other { name, .. } => name.clone(),
        }
    }

    /// How often it reads and writes, where that is a setting.
    pub fn window_ms(&self) -> Option<u64> {
        match self {
            Self::Aqueduct { window_ms, .. } | Self::Raw { window_ms } => Some(*window_ms),
            Self::Nginx | Self::Xiu | Self::Other { .. } => None,
        }
    }

    /// How long it takes at the most until what it was sent has gone out.
    pub fn rest(&self) -> Duration {
        const SPARE: Duration = Duration::from_millis(30);
        match self.window_ms() {
            Some(window_ms) => Duration::from_millis(window_ms) + SPARE,
            // Some keep what they have for as long as that.
            None => Duration::from_secs(1),
        }
    }

    /// Whether publishers and targets send chunks only, without any greeting.
    pub fn is_raw(&self) -> bool {
        matches!(self, Self::Raw { .. })
    }

    /// Whether its targets speak TLS.
    pub fn is_rtmps(&self) -> bool {
        matches!(self, Self::Aqueduct { is_rtmps: true, .. })
    }

    /// Starts it. Where its targets speak TLS it trusts `certificate`, a PEM file.
    pub fn start(&self, options: &Options, ports: Ports, certificate: &Path) -> Outcome<Relay> {
        let directory = tempfile::tempdir()?;
        let place = directory.path();
        let http = matches!(self, Self::Aqueduct { .. })
            .then(free_port)
            .transpose()?;
        let command = match self {
            Self::Nginx => nginx(options, ports, place)?,
            Self::Xiu => {
                fs::write(place.join("xiu.toml"), xiu(options, ports)?)?;
                shell(&format!("{} -c xiu.toml", options.xiu), ports, place)
            }
            Self::Aqueduct {
                window_ms, build, ..
            } => {
                let program = match build {
                    Some(build) => build.command.clone(),
                    None => options.aqueduct.clone(),
                };
                let http = http.unwrap_or_default();
                let targets = match self.is_rtmps() {
                    true => format!("rtmps://{}:{}", tls::HOST, ports.sink),
                    false => format!("rtmp://127.0.0.1:{}", ports.sink),
                };
                let mut configuration = aqueduct(options, ports, http, *window_ms, certificate);
                for target in 0..options.targets {
                    let url = format!("{targets}/t{target}/{{stream}}");
                    writeln!(configuration, "[[rules]]\nurl = \"{url}\"")?;
                }
                fs::write(place.join("aqueduct.toml"), configuration)?;
                let line = format!("{program} serve --config aqueduct.toml --data data");
                shell(&line, ports, place)
            }
            Self::Raw { window_ms } => raw(options, ports, *window_ms)?,
            Self::Other { command, .. } => shell(command, ports, place),
        };
        Ok(Relay {
            program: Program::start(command, options.relay_core())?,
            http,
            _directory: directory,
        })
    }
}

impl Relay {
    /// Bytes that its rings hold, where it says so.
    pub fn ring_bytes(&self) -> Option<u64> {
        let mut tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.http?)).ok()?;
        tcp.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
        let request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        tcp.write_all(request.as_bytes()).ok()?;
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).ok()?;
        let mut lines = answer.lines();
        lines.find_map(|line| line.strip_prefix("aqueduct_ring_bytes ")?.parse().ok())
    }
}

fn nginx(options: &Options, ports: Ports, place: &Path) -> Outcome<Command> {
    let mut pushes = String::new();
    for target in 0..options.targets {
        writeln!(pushes, "push rtmp://127.0.0.1:{}/t{target};", ports.sink)?;
    }
    let (place, rtmp) = (place.display(), ports.rtmp);
    let connections = options.connections() + options.streams as usize + 64;
    let configuration = format!(
        "load_module {NGINX_MODULE};
        daemon off;
        master_process off;
        worker_processes 1;
        pid {place}/pid;
        error_log /dev/null crit;
        events {{ worker_connections {connections}; }}
        rtmp {{
            access_log off;
            chunk_size 65536;
            out_queue 4096;
            out_cork 8;
            server {{
                listen 127.0.0.1:{rtmp};
                application live {{
                    live on;
                    wait_key off;
                    meta copy;
                    {pushes}
                }}
            }}
        }}
        "
    );
    let file = format!("{place}/nginx.conf");
    fs::write(&file, configuration)?;
    // Debian keeps it out of a user's PATH.
    let usual = "/usr/sbin/nginx";
    let binary = if Path::new(usual).exists() {
        usual
    } else {
        "nginx"
    };
    let mut command = Command::new(binary);
    command.args(["-p", &place.to_string(), "-c", &file, "-e", "/dev/null"]);
    Ok(command)
}

/// The gateway's configuration, without its rules.
fn aqueduct(
    options: &Options,
    ports: Ports,
    http: u16,
    window_ms: u64,
    certificate: &Path,
) -> String {
    format!(
        "[rtmp]
        listen = \"127.0.0.1:{}\"
        [http]
        listen = \"127.0.0.1:{http}\"
        [relay]
        flush_interval_ms = {window_ms}
        [egress]
        allow_private_addresses = true
        starts_per_second = 1000
        ca_certificates = \"{}\"
        [log]
        level = \"error\"
        {}\n",
        ports.rtmp,
        certificate.display(),
        options.aqueduct_config,
    )
}

fn xiu(options: &Options, ports: Ports) -> Outcome<String> {
    let mut configuration = format!(
        "[rtmp]
        enabled = true
        port = {}
        gop_num = 1
        [authsecret]
        key = \"\"
        password = \"\"
        [log]
        level = \"error\"\n",
        ports.rtmp
    );
    for _ in 0..options.targets {
        let port = ports.sink;
        writeln!(
            configuration,
            "[[rtmp.push]]\nenabled = true\naddress = \"127.0.0.1\"\nport = {port}"
        )?;
    }
    Ok(configuration)
}

fn raw(options: &Options, ports: Ports, window_ms: u64) -> Outcome<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("fanout");
    for (name, value) in [
        ("--rtmp", u64::from(ports.rtmp)),
        ("--sink", u64::from(ports.sink)),
        ("--streams", u64::from(options.streams)),
        ("--targets", u64::from(options.targets)),
        ("--window-ms", window_ms),
    ] {
        command.arg(name).arg(value.to_string());
    }
    Ok(command)
}

fn shell(line: &str, ports: Ports, place: &Path) -> Command {
    let line = line
        .replace("{rtmp}", &ports.rtmp.to_string())
        .replace("{sink}", &ports.sink.to_string());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]);
    command.current_dir(place).stderr(Stdio::null());
    command
}

/// A port that nobody has at this moment.
pub fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
