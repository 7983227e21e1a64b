//! Who may call whom: a module uses only the floors below its own. `docs/architecture.md` draws the house.

#![allow(clippy::unwrap_used, clippy::panic)]

mod one_place;
mod source;

use std::fs;
use std::path::Path as FilePath;

use source::{Path, paths};

/// The floors, from the ground up.
const FLOORS: &[&[&str]] = &[
    &["media", "rule", "secret", "backoff"],
    &["rtmp", "flv", "mp4"],
    &["relay", "store", "net"],
    &["ingest", "egress", "notify"],
    &["control"],
    &["api", "web"],
];

/// Above all floors: they know everyone.
const ROOF: &[&str] = &["app", "cli", "config"];

/// The first floor that may log and count.
const FIRST_WITH_TELEMETRY: usize = 2;

/// Floors whose modules are values: time is an argument, nothing waits, nothing is shared.
const PURE_FLOORS: usize = 2;

/// Names that have no place on a pure floor: a runtime, a socket, a clock, a lock, a log.
const IMPURE: &[&str] = &[
    "tokio",
    "tracing",
    "metrics",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "Mutex",
    "RwLock",
];

/// Steps within a floor that are no cycle: who, whom.
const WITHIN: &[(&str, &str)] = &[("rule", "secret")];

/// Steps down that are forbidden all the same: who, whom, and the names that are permitted.
const NARROW: &[(&str, &str, &[&str])] = &[
    ("relay", "rtmp", &[]),
    // A stream has a name; what is wished for it is not the relay's business.
    ("relay", "rule", &["StreamKey", "Role", "SourceKind"]),
    ("store", "media", &[]),
    ("store", "rtmp", &[]),
    ("net", "media", &[]),
    ("net", "rtmp", &[]),
    ("net", "rule", &[]),
    // Doors know the service.
    ("api", "media", &[]),
    ("api", "rtmp", &[]),
    ("api", "rule", &[]),
    ("api", "relay", &[]),
    ("api", "store", &[]),
    // The listener that the doors hang in; what a door may call is the service's business.
    ("api", "net", &["listener", "permits", "tries"]),
    ("api", "ingest", &[]),
    ("api", "egress", &[]),
];

/// What stands against the plan and is known: the file, the module that it names, and why. One that is not needed any more has to go.
const STANDING: &[(&str, &str, &str)] = &[];

#[test]
fn no_floor_reaches_up() {
    let mut wrong = Vec::new();
    let mut needed = vec![false; STANDING.len()];
    for (file, text) in sources() {
        for fault in faults(&file, &text) {
            let standing = STANDING
                .iter()
                .position(|(known, whom, _)| *known == file && fault.whom == *whom);
            match standing {
                Some(place) => needed[place] = true,
                None => wrong.push(format!("{file}:{}: {}", fault.line, fault.what)),
            }
        }
    }
    for ((file, whom, _), needed) in STANDING.iter().zip(needed) {
        if !needed {
            wrong.push(format!(
                "{file} does not name crate::{whom} any more: take it from STANDING"
            ));
        }
    }
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_its_floor() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let modules: Vec<_> = lib
        .lines()
        .filter_map(|line| {
            line.trim_start_matches("pub ")
                .strip_prefix("mod ")?
                .strip_suffix(';')
        })
        .collect();
    assert!(modules.len() >= 15, "{modules:?}");
    for module in modules {
        assert!(is_known(module), "src/lib.rs: {module} stands on no floor");
    }
}

#[test]
fn the_checker_sees_what_is_planted() {
    // (file, its text, whom it must blame)
    let table: &[(&str, &str, &[&str])] = &[
        ("src/media/tag.rs", "use crate::relay::Hub;", &["relay"]),
        ("src/media/tag.rs", "use crate::rule::StreamKey;", &["rule"]),
        ("src/rule/url.rs", "use crate::secret::Secret;", &[]),
        ("src/secret.rs", "use crate::rule::Rule;", &["rule"]),
        (
            "src/rtmp/chunk/reader.rs",
            "use crate::media::MediaKind;",
            &[],
        ),
        (
            "src/rtmp/chunk/reader.rs",
            "use crate::telemetry::Metrics;",
            &["telemetry"],
        ),
        (
            "src/rtmp/mod.rs",
            "fn f(stream: &tokio::net::TcpStream) {}",
            &["tokio"],
        ),
        (
            "src/rtmp/mod.rs",
            "use std::{io, time::{Duration, Instant}};",
            &["Instant"],
        ),
        (
            "src/rule/mod.rs",
            "use std::time::Duration; use std::sync::Arc;",
            &[],
        ),
        (
            "src/media/mod.rs",
            "static A: std::sync::Mutex<u8> = todo();",
            &["Mutex"],
        ),
        (
            "src/relay/hub.rs",
            "use crate::{media::tag, rtmp::chunk, rule::{StreamKey, Rule}};",
            &["rtmp", "rule"],
        ),
        (
            "src/relay/hub.rs",
            "fn f() { crate::egress::start() }",
            &["egress"],
        ),
        (
            "src/relay/hub.rs",
            "use crate::telemetry::Metrics; use crate::relay::Ring;",
            &[],
        ),
        (
            "src/net/dial.rs",
            "use crate::store::RuleStore;",
            &["store"],
        ),
        (
            "src/ingest/mod.rs",
            "use crate::egress::push::Push;",
            &["egress"],
        ),
        (
            "src/egress/push.rs",
            "pub(in crate::egress) fn f() { super::super::ingest::x() }",
            &["ingest"],
        ),
        (
            "src/egress/mod.rs",
            "use super::control::Rules;",
            &["control"],
        ),
        (
            "src/egress/push.rs",
            "use super::status::Board; use super::super::net::dial::Dialer;",
            &[],
        ),
        ("src/control/mod.rs", "use crate::api::native;", &["api"]),
        (
            "src/control/mod.rs",
            "use crate::config::Config;",
            &["config"],
        ),
        (
            "src/api/mod.rs",
            "use crate::control::Rules; use crate::secret::Secret;",
            &[],
        ),
        (
            "src/api/mod.rs",
            "use crate::store::SqliteStore;",
            &["store"],
        ),
        (
            "src/telemetry/log.rs",
            "use crate::rule::RuleId; use crate::net::dial;",
            &["net"],
        ),
        (
            "src/config/mod.rs",
            "use crate::relay::RelayConfig; use crate::app::App;",
            &["app"],
        ),
        (
            "src/app/mod.rs",
            "use crate::{api, cli, control, egress, net};",
            &["cli"],
        ),
        (
            "src/cli/mod.rs",
            "use crate::{app::App, config::Config};",
            &[],
        ),
        ("src/net/mod.rs", "use crate::nowhere::X;", &["nowhere"]),
        (
            "src/media/tag.rs",
            "//! [`crate::relay`]\n/* crate::relay /* tokio */ */\nconst A: &str = \"crate::relay\";\nconst B: &str = r#\"crate::\"relay\"#;",
            &[],
        ),
        (
            "src/media/tag.rs",
            "fn f<'a>(c: char) -> bool { c == '\"' }\nuse crate::relay::Hub;",
            &["relay"],
        ),
    ];
    for (file, text, blamed) in table {
        let faults: Vec<_> = faults(file, text)
            .into_iter()
            .map(|fault| fault.whom)
            .collect();
        assert_eq!(faults, *blamed, "{file}: {text}");
    }
}

#[test]
fn a_fault_is_shown_with_its_line() {
    let faults = faults(
        "src/media/tag.rs",
        "//! Tags.\n\nuse crate::media::x;\nuse crate::{\n    relay::Hub,\n};\n",
    );
    let [fault] = faults.as_slice() else {
        panic!("one fault is expected")
    };
    assert_eq!((fault.line, fault.whom.as_str()), (5, "relay"));
    assert_eq!(fault.what, "media (floor 0) may not use relay (floor 2)");
}

struct Fault {
    line: usize,
    whom: String,
    what: String,
}

/// What a file does that its place in the house forbids.
fn faults(file: &str, text: &str) -> Vec<Fault> {
    let inside = file.trim_start_matches("src/").trim_end_matches(".rs");
    let who = inside.split('/').next().unwrap_or(inside);
    if matches!(who, "lib" | "main") {
        return Vec::new();
    }
    // How far the crate's root is above the file's own items.
    let depth = inside.trim_end_matches("/mod").split('/').count();
    let pure = floor(who).is_some_and(|floor| floor < PURE_FLOORS);
    let mut found = Vec::new();
    for path in paths(text) {
        if let Some(what) = within_crate(&path, depth).and_then(|inner| reach(who, inner)) {
            found.push(Fault {
                line: path.line,
                whom: what.0,
                what: what.1,
            });
        } else if pure && let Some(name) = impure(&path) {
            found.push(Fault {
                line: path.line,
                whom: name.to_owned(),
                what: format!("{who} is made of values and may not name {name}"),
            });
        }
    }
    found
}

/// What follows the crate's root in a path that begins there or climbs up to it.
fn within_crate(path: &Path, depth: usize) -> Option<&[String]> {
    let climbed = path
        .parts
        .iter()
        .take_while(|part| *part == "super")
        .count();
    match path.parts.split_first() {
        Some((first, rest)) if first == "crate" => Some(rest),
        // A module inside the file (its tests) needs one step more to get out, so a climb of this height may end
        // below the root; only a name of the root's then says where it is.
        _ if climbed >= depth => path
            .parts
            .get(climbed..)
            .filter(|rest| rest.first().is_some_and(|name| is_known(name))),
        _ => None,
    }
}

/// Whether `who` may use this path of the crate; if not, whom it blames and why.
fn reach(who: &str, path: &[String]) -> Option<(String, String)> {
    let (whom, item) = (
        path.first()?.as_str(),
        path.get(1).map_or("", String::as_str),
    );
    let blame = |why: &str| Some((whom.to_owned(), why.to_owned()));
    if whom == who {
        return None;
    }
    if !is_known(whom) {
        return blame(&format!("{whom} stands on no floor"));
    }
    if let Some((.., permitted)) = NARROW.iter().find(|(a, b, _)| *a == who && *b == whom) {
        return match permitted.contains(&item) {
            true => None,
            false => blame(&format!("{who} may not use {whom}::{item}")),
        };
    }
    match may_use(who, whom) {
        true => None,
        false => blame(&format!("{} may not use {}", place(who), place(whom))),
    }
}

fn may_use(who: &str, whom: &str) -> bool {
    if WITHIN.contains(&(who, whom)) {
        return true;
    }
    match (who, whom) {
        ("cli", _) => true,
        (_, "cli") => false,
        ("app", _) => true,
        (_, "app") => false,
        // It lists everyone's structs; only those who build everything read the whole of it.
        ("config", _) => true,
        (_, "config") => false,
        ("telemetry", whom) => floor(whom) == Some(0),
        (who, "telemetry") => floor(who) >= Some(FIRST_WITH_TELEMETRY),
        (who, whom) => floor(whom) < floor(who),
    }
}

fn impure(path: &Path) -> Option<&'static str> {
    IMPURE
        .iter()
        .copied()
        .find(|name| path.parts.iter().any(|part| part == name))
}

fn floor(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn place(module: &str) -> String {
    match floor(module) {
        Some(floor) => format!("{module} (floor {floor})"),
        None => module.to_owned(),
    }
}

fn is_known(module: &str) -> bool {
    module == "telemetry" || ROOF.contains(&module) || floor(module).is_some()
}

/// Every source file, by its path from the project's root.
fn sources() -> Vec<(String, String)> {
    let mut waiting = vec![root().join("src")];
    let mut files = Vec::new();
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root())
                    .unwrap()
                    .to_string_lossy()
                    .replace('\\', "/");
                files.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(files.len() > 50, "only {} sources were found", files.len());
    files.sort();
    files
}

fn root() -> &'static FilePath {
    FilePath::new(env!("CARGO_MANIFEST_DIR"))
}
