//! `aqueduct rules`: what goes where.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

use super::Failure;
use super::args::{RuleOptionArgs, RulesArgs, RulesCommand};
use super::gateway::{Gateway, Refused, rows, segment};
use super::output::{complain, print, print_json, width};
use super::table::Table;
use super::urls;
use crate::config::UrlLine;
use crate::secret::printable;

#[derive(Deserialize)]
struct Row {
    id: String,
    app: String,
    stream: String,
    url: String,
    backup_url: Option<String>,
    enabled: bool,
    #[serde(default, with = "time::serde::rfc3339::option")]
    stop_at: Option<OffsetDateTime>,
    origin: String,
}

impl Row {
    fn to(&self) -> String {
        match &self.backup_url {
            Some(backup) => format!("{} (backup {backup})", self.url),
            None => self.url.clone(),
        }
    }

    fn told(&self, verb: &str) -> String {
        let what = format!("{}/{} -> {}", self.app, self.stream, self.to());
        format!("{verb} {}  {}\n", self.id, printable(&what))
    }

    /// Whether it is in force, in a word.
    fn on(&self) -> &'static str {
        match self.stop_at {
            _ if !self.enabled => "no",
            Some(at) if at <= OffsetDateTime::now_utc() => "over",
            _ => "yes",
        }
    }
}

pub(super) async fn run(args: RulesArgs) -> Result<(), Failure> {
    match args.command {
        RulesCommand::List { app, reveal } => {
            list(&Gateway::find(&args.gateway)?, app, reveal, args.json).await
        }
        RulesCommand::Add {
            app,
            stream,
            options,
            disabled,
            urls,
        } => {
            let mut wish = said(&options, &urls)?;
            if disabled {
                wish.insert("enabled".to_owned(), false.into());
            }
            let lines = urls::read("rules add", &urls)?;
            if options.backup_url.is_some() && lines.len() > 1 {
                let why = "--backup-url goes with one URL";
                return Err(Failure::Usage(format!("rules add: {why}")));
            }
            let has_options = !wish.is_empty();
            wish.extend([
                ("app".to_owned(), app.into()),
                ("stream".to_owned(), stream.into()),
            ]);
            let gateway = Gateway::find(&args.gateway)?;
            add(&gateway, wish, lines, has_options, args.json).await
        }
        RulesCommand::Change {
            id,
            url,
            options,
            enable,
            disable,
        } => {
            let mut change = said(&options, url.as_slice())?;
            if let Some(url) = &url {
                let line = urls::read_one("--url", url, &[])?;
                change.insert("url".to_owned(), line.url.expose().into());
            }
            if enable || disable {
                change.insert("enabled".to_owned(), enable.into());
            }
            if change.is_empty() {
                let why = "rules change: say what to change; see --help";
                return Err(Failure::Usage(why.to_owned()));
            }
            let gateway = Gateway::find(&args.gateway)?;
            let path = format!("/v1/rules/{}", segment(&id));
            let rule = gateway.patch(&path, &Value::Object(change)).await;
            let rule = rule.map_err(|refused| about(&id, refused))?;
            match args.json {
                true => print_json(&rule),
                false => print(&rows::<Row>(&rule)?.told("changed")),
            }
        }
        RulesCommand::Remove { ids } => {
            remove(&Gateway::find(&args.gateway)?, &ids, args.json).await
        }
    }
}

/// What the options say, as the native door takes it. `urls` are read beside them.
fn said(options: &RuleOptionArgs, urls: &[String]) -> Result<Map<String, Value>, Failure> {
    let mut said = Map::new();
    if let Some(backup) = &options.backup_url {
        let line = given(backup).map(|backup| urls::read_one("--backup-url", backup, urls));
        let url = line.transpose()?.map(|line| line.url.expose().to_owned());
        said.insert("backup_url".to_owned(), url.into());
    }
    if let Some(at) = &options.stop_at {
        said.insert("stop_at".to_owned(), given(at).into());
    }
    if let Some(bytes) = &options.chunk_size {
        let number = given(bytes).map(str::parse::<u32>).transpose();
        let number = number.map_err(|_| {
            let why = format!("--chunk-size: expected a number of bytes or none, not {bytes}");
            Failure::Usage(why)
        })?;
        said.insert("chunk_size".to_owned(), number.into());
    }
    for (name, value) in [
        ("strict_interleave", options.strict_interleave),
        ("digest_handshake", options.digest_handshake),
    ] {
        if let Some(value) = value {
            said.insert(name.to_owned(), value.into());
        }
    }
    Ok(said)
}

/// What is given, where it is not taken away.
fn given(value: &str) -> Option<&str> {
    (value != "none").then_some(value)
}

/// Adds a rule for each URL.
async fn add(
    gateway: &Gateway,
    wish: Map<String, Value>,
    lines: Vec<UrlLine>,
    has_options: bool,
    json: bool,
) -> Result<(), Failure> {
    let mut added = Vec::new();
    for line in lines {
        let mut wish = wish.clone();
        wish.insert("url".to_owned(), line.url.expose().into());
        let (status, rule) = gateway
            .post("/v1/rules", &Value::Object(wish))
            .await
            .map_err(|refused| placed(&line.place, refused.into()))?;
        if !json {
            print(&told(status, &rows(&rule)?, has_options))?;
        }
        added.push(rule);
    }
    match json {
        true => print_json(&Value::Array(added)),
        false => Ok(()),
    }
}

async fn list(
    gateway: &Gateway,
    app: Option<String>,
    reveal: bool,
    json: bool,
) -> Result<(), Failure> {
    let app = app
        .map(|app| format!("&app={}", segment(&app)))
        .unwrap_or_default();
    let rules = gateway
        .fetch_all(&format!("/v1/rules?reveal={reveal}{app}"))
        .await?;
    if json {
        return print_json(&rules);
    }
    let rules: Vec<Row> = rows(&rules)?;
    if rules.is_empty() {
        return print("There are no rules. To add one: aqueduct rules add @FILE\n");
    }
    let mut table = Table::new(["ID", "APP", "STREAM", "URL", "ORIGIN", "ON"], &[1, 2, 3]);
    for rule in rules {
        let (to, on) = (rule.to(), rule.on().to_owned());
        table.row([rule.id, rule.app, rule.stream, to, rule.origin, on]);
    }
    // A key that is cut off is of no use to anybody.
    print(&table.render(if reveal { usize::MAX } else { width() }))
}

fn told(status: StatusCode, rule: &Row, has_options: bool) -> String {
    if status == StatusCode::CREATED {
        return rule.told("added");
    }
    let mut text = rule.told("stands already:");
    if has_options {
        let note = "its options stay as they are; to change them: aqueduct rules change";
        text.push_str(&format!("    {note} {}\n", rule.id));
    }
    text
}

/// Names the line that a refused URL stands on.
fn placed(place: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Usage(why) => Failure::Usage(format!("{place}: {why}")),
        Failure::Failed(why) => Failure::Failed(why),
    }
}

/// Goes through all of them; the last failure is the command's.
async fn remove(gateway: &Gateway, ids: &[String], json: bool) -> Result<(), Failure> {
    let mut outcome = Ok(());
    let mut removed = Vec::new();
    for id in ids {
        match remove_one(gateway, id).await {
            Ok(answer) => {
                let stored = answer["stored"] != Value::Bool(false);
                if !json {
                    print(&format!("removed {id}\n"))?;
                }
                removed.push(answer);
                if !stored {
                    outcome = keep(
                        outcome,
                        Failure::Failed(format!(
                            "{id}: its pushes have stopped, but the removal is not stored yet; the gateway tries again \
                         while it runs"
                        )),
                    );
                }
            }
            Err(failure) => outcome = keep(outcome, failure),
        }
    }
    if json {
        print_json(&Value::Array(removed))?;
    }
    outcome
}

async fn remove_one(gateway: &Gateway, id: &str) -> Result<Value, Failure> {
    let removed = gateway.delete(&format!("/v1/rules/{}", segment(id))).await;
    removed.map_err(|refused| about(id, refused))
}

/// Names the rule that was meant.
fn about(id: &str, refused: Refused) -> Failure {
    match Failure::from(refused) {
        Failure::Usage(why) => Failure::Usage(format!("{id}: {why}")),
        Failure::Failed(why) => Failure::Failed(format!("{id}: {why}")),
    }
}

/// Says the failure before, so that each is told once.
fn keep(before: Result<(), Failure>, now: Failure) -> Result<(), Failure> {
    if let Err(before) = before {
        complain(&before.to_string());
    }
    Err(now)
}
