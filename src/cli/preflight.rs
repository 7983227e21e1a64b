//! `aqueduct preflight`: would this target take a stream?

use std::fmt::Write;

use serde_json::{Value, json};

use super::Failure;
use super::args::PreflightArgs;
use super::gateway::{Gateway, rows};
use super::output::{one_line, print, print_json};
use super::urls;
use crate::control::{PreflightReport, StepResult};

pub(super) async fn run(args: PreflightArgs) -> Result<(), Failure> {
    let lines = urls::read("preflight", &args.urls)?;
    let gateway = Gateway::find(&args.gateway)?;
    let mut reports = Vec::new();
    let mut failed = 0;
    for line in lines {
        let wish = json!({"url": line.url.expose(), "publish": args.publish});
        let (_, report) = gateway
            .post("/v1/preflight", &wish)
            .await
            .map_err(|refused| match Failure::from(refused) {
                Failure::Usage(why) => Failure::Usage(format!("{}: {why}", line.place)),
                failed => failed,
            })?;
        let read: PreflightReport = rows(&report)?;
        failed += usize::from(!read.ok);
        if !args.json {
            print(&described(&read))?;
        }
        reports.push(report);
    }
    let tried = reports.len();
    if args.json {
        print_json(&Value::Array(reports))?;
    }
    match failed {
        0 => Ok(()),
        1 if tried == 1 => Err(Failure::Failed(
            "the target would not take a stream".to_owned(),
        )),
        _ => Err(Failure::Failed(format!(
            "{failed} of {tried} targets would not take a stream"
        ))),
    }
}

fn described(report: &PreflightReport) -> String {
    let mut text = format!("{}\n", one_line(&report.url));
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
            one_line(&step.detail)
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
