//! A thousand rules are no storm of connects.

use super::stream;
use crate::gateway_parts::{Gateway, Names, Setup, rule};
use aqueduct::rule::RuleId;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

#[tokio::test(start_paused = true)]
async fn a_thousand_pushes_pass_the_gate_at_its_rate_retries_included() {
    let names = Names::none();
    let gateway = Gateway::start(Setup {
        names: Arc::clone(&names),
        starts_per_second: 50,
        ..Setup::default()
    })
    .await;
    let rules = (0..1000u32).map(|number| {
        let mut rule = rule(1, &format!("rtmp://gone.example/app/x{number}"));
        let [a, b, c, d] = number.to_be_bytes();
        rule.id = RuleId::from_random([a, b, c, d, 0, 0, 0, 0]);
        rule
    });
    gateway.wish(rules);
    let began = Instant::now();
    let _producer = stream(&gateway, "cam");
    tokio::time::sleep(Duration::from_secs(60)).await;
    let asked = names.asked("gone.example");
    let mut seconds = vec![0; 61];
    for at in asked {
        seconds[(at - began).as_secs() as usize] += 1;
    }
    assert!(seconds.iter().all(|&count| count <= 51), "{seconds:?}");
    assert!(
        seconds[..40].iter().all(|&count| count >= 49),
        "{seconds:?}"
    );
    let attempts = gateway.board.pushes();
    let waiting = attempts.iter().filter(|push| push.1.phase().attempt == 0);
    assert_eq!(
        waiting.count(),
        0,
        "everyone had a turn: it is first come, first served"
    );
}
