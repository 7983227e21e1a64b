//! `aqueduct rules`: what goes where.

use reqwest::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;
use super::args::{RulesArgs, RulesCommand};
use super::gateway::{Gateway, rows, segment};
use super::output::{complain, one_line, print, print_json, width};
use super::table::Table;
use super::urls;

#[derive(Deserialize)]
struct Row {
    id: String,
    app: String,
    stream: String,
    url: String,
    enabled: bool,
    origin: String,
}

pub(super) async fn run(args: RulesArgs) -> Result<(), Failure> {
    match args.command {
        RulesCommand::List { app, reveal } => {
            list(&Gateway::find(&args.gateway)?, app, reveal, args.json).await
        }
        RulesCommand::Add { app, stream, urls } => {
            let urls = urls::read("rules add", &urls)?;
            let gateway = Gateway::find(&args.gateway)?;
            let mut added = Vec::new();
            for line in urls {
                let wish = json!({"app": app, "stream": stream, "url": line.url.expose()});
                let (status, rule) = gateway
                    .post("/v1/rules", &wish)
                    .await
                    .map_err(|refused| placed(&line.place, refused.into()))?;
                if !args.json {
                    print(&told(status, &rows(&rule)?))?;
                }
                added.push(rule);
            }
            if args.json {
                print_json(&Value::Array(added))
            } else {
                Ok(())
            }
        }
        RulesCommand::Remove { ids } => {
            remove(&Gateway::find(&args.gateway)?, &ids, args.json).await
        }
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
        .fetch(&format!("/v1/rules?reveal={reveal}{app}"))
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
        let on = if rule.enabled { "yes" } else { "no" };
        table.row([
            rule.id,
            rule.app,
            rule.stream,
            rule.url,
            rule.origin,
            on.to_owned(),
        ]);
    }
    // A key that is cut off is of no use to anybody.
    print(&table.render(if reveal { usize::MAX } else { width() }))
}

fn told(status: StatusCode, rule: &Row) -> String {
    let verb = if status == StatusCode::CREATED {
        "added"
    } else {
        "stands already:"
    };
    let Row {
        id,
        app,
        stream,
        url,
        ..
    } = rule;
    format!(
        "{verb} {id}  {}\n",
        one_line(&format!("{app}/{stream} -> {url}"))
    )
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
    removed.map_err(|refused| match Failure::from(refused) {
        Failure::Usage(why) => Failure::Usage(format!("{id}: {why}")),
        Failure::Failed(why) => Failure::Failed(format!("{id}: {why}")),
    })
}

/// Says the failure before, so that each is told once.
fn keep(before: Result<(), Failure>, now: Failure) -> Result<(), Failure> {
    if let Err(before) = before {
        complain(&before.to_string());
    }
    Err(now)
}
