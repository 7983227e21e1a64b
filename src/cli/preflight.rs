//! `aqueduct preflight`: would this target take a stream?

use std::fmt::Write;

use serde_json::json;

use super::Failure;
use super::args::PreflightArgs;
use super::gateway::{Gateway, Refused, configuration, rows};
use super::output::{print, print_json};
use super::urls;
use crate::app;
use crate::config::UrlLine;
use crate::control::{PreflightReport, StepResult, TargetUrl};
use crate::secret::printable;

pub(super) async fn run(args: PreflightArgs) -> Result<(), Failure> {
    let lines = urls::read("preflight", &args.urls)?;
    let mut reports = Vec::new();
    for line in &lines {
        let report = one(&args, line).await?;
        if !args.json {
            print(&described(&report))?;
        }
        reports.push(report);
    }
    if args.json {
        let value = serde_json::to_value(&reports);
        print_json(&value.map_err(|error| Failure::Failed(error.to_string()))?)?;
    }
    match reports.iter().filter(|report| !report.ok).count() {
        0 => Ok(()),
        1 if reports.len() == 1 => Err(Failure::Failed(
            "the target would not take a stream".to_owned(),
        )),
        failed => Err(Failure::Failed(format!(
            "{failed} of {} targets would not take a stream",
            reports.len()
        ))),
    }
}

/// Lets the gateway try a target, since it knows what it pushes; or tries it from here, where no gateway runs and none was
/// asked for by its address.
async fn one(args: &PreflightArgs, line: &UrlLine) -> Result<PreflightReport, Failure> {
    let url = TargetUrl::parse(line.url.expose());
    let url = url.map_err(|why| Failure::Usage(format!("{}: {why}", line.place)))?;
    let wish = json!({"url": line.url.expose(), "publish": args.publish});
    let gateway = match Gateway::find(&args.gateway) {
        Err(Failure::Failed(_)) if args.gateway.http.is_none() => None,
        found => Some(found?),
    };
    if let Some(gateway) = gateway {
        match gateway.post("/v1/preflight", &wish).await {
            Ok((_, report)) => return rows(&report),
            Err(Refused::Unreachable(_)) if args.gateway.http.is_none() => {}
            Err(refused) => return Err(placed(&line.place, refused.into())),
        }
    }
    let config = configuration(&args.gateway)?;
    let report = app::preflight(&config, url, args.publish).await;
    report.map_err(|error| match error.is_usage() {
        true => Failure::Usage(error.to_string()),
        false => Failure::Failed(error.to_string()),
    })
}

fn placed(place: &str, failure: Failure) -> Failure {
    match failure {
        Failure::Usage(why) => Failure::Usage(format!("{place}: {why}")),
        Failure::Failed(why) => Failure::Failed(why),
    }
}

fn described(report: &PreflightReport) -> String {
    let mut text = format!("{}\n", printable(&report.url));
    for step in &report.steps {
        let result = match step.result {
            StepResult::Ok => "ok",
            StepResult::Failed => "FAILED",
            StepResult::Skipped => "skipped",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "  {:<10} {result:<8} {:>6} ms  {}",
            step.step.as_str(),
            step.elapsed_ms,
            printable(&step.detail)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::{PreflightStep, Step};

    #[test]
    fn a_report_reads_from_top_to_bottom() {
        let step = |step, result, detail: &str| PreflightStep {
            step,
            result,
            elapsed_ms: 12,
            detail: detail.to_owned(),
        };
        let report = PreflightReport {
            url: "rtmp://h/app/***".into(),
            ok: false,
            steps: vec![
                step(Step::Dns, StepResult::Ok, "192.0.2.1"),
                step(Step::Tcp, StepResult::Failed, "refused"),
            ],
        };
        assert_eq!(
            described(&report),
            "rtmp://h/app/***\n  \
             dns        ok           12 ms  192.0.2.1\n  \
             tcp        FAILED       12 ms  refused\n"
        );
    }
}
