//! Preflight: does this target work, and if not, where does it fail?

use super::attempt::{Depth, Manner, Reach, Step};
use super::failure::Failure;
use super::signing::Place;
use crate::net::close::close_gracefully;
use crate::rule::TargetUrl;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

/// Said where there is one; what it is, is a secret.
const ADDED: &str = "the push authentication of [[cdn_auth]] is added to the stream's name";

/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// A rung of the ladder from a name to a consent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rung {
    /// The name has addresses, and they may be called.
    Dns,
    /// One of them answers.
    Tcp,
    /// It has the right certificate.
    Tls,
    /// It speaks RTMP.
    Handshake,
    /// It takes the app.
    Connect,
    /// It takes the stream key.
    Publish,
}

/// How one rung went.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Which one.
    pub rung: Rung,
    /// How long it took.
    pub took: Duration,
    /// What was found, or why it failed; no secret is in either.
    pub outcome: Result<String, String>,
}

/// Climbs as far as `depth` says, and no further than the first rung that fails.
pub async fn preflight(
    reach: &Reach,
    url: &TargetUrl,
    chunk_size: u32,
    depth: Depth,
) -> Vec<Tried> {
    let mut tried = Vec::new();
    let began = Instant::now();
    let resolved = reach
        .dialer
        .resolve(url.host(), url.port_or_default())
        .await;
    let outcome = resolved.map(|addresses| {
        let addresses: Vec<_> = addresses.iter().map(ToString::to_string).collect();
        addresses.join(", ")
    });
    let failed = outcome.is_err();
    tried.push(Tried {
        rung: Rung::Dns,
        took: began.elapsed(),
        outcome: outcome.map_err(|error| Failure::from(error).reason(url)),
    });
    if failed {
        return tried;
    }
    let manner = Manner {
        digest_handshake: false,
        chunk_size,
        enhanced: None,
        depth,
    };
    let mut begun: Vec<(Step, Instant)> = Vec::new();
    let mut place = Place {
        url: url.clone(),
        is_signed: false,
    };
    let reached = reach
        .establish(url, &manner, |step, at| {
            if step == Step::Dial {
                // A redirect, or a round of authentication: only the last connection counts.
                begun.clear();
                place = at.clone();
            }
            begun.push((step, Instant::now()));
        })
        .await;
    let ended = Instant::now();
    let mut ends = begun.iter().skip(1).map(|&(_, at)| at).chain([ended]);
    for (index, &(step, at)) in begun.iter().enumerate() {
        let is_last = index + 1 == begun.len();
        let outcome = match &reached {
            Err(failure) if is_last => Err(failure.reason(url)),
            _ => Ok(found(step, &place)),
        };
        tried.push(Tried {
            rung: rung(step),
            took: ends.next().unwrap_or(ended) - at,
            outcome,
        });
    }
    if let Ok(mut established) = reached {
        let _ = timeout(GOODBYE, async {
            if depth == Depth::Publish {
                established.session.finish();
                let output = established.session.output().split();
                established.transport.write_all(&output).await?;
            }
            close_gracefully(established.transport, GOODBYE).await;
            std::io::Result::Ok(())
        })
        .await;
    }
    tried
}

fn rung(step: Step) -> Rung {
    match step {
        Step::Dial => Rung::Tcp,
        Step::Tls => Rung::Tls,
        Step::Handshake => Rung::Handshake,
        Step::Connect => Rung::Connect,
        Step::Publish => Rung::Publish,
    }
}

fn found(step: Step, place: &Place) -> String {
    let (host, port) = (place.url.host(), place.url.port_or_default());
    match step {
        Step::Dial => format!("connected to port {port}"),
        Step::Tls => format!("the certificate is valid for {host}"),
        Step::Handshake => "the target speaks RTMP".to_owned(),
        Step::Connect if place.is_signed => {
            format!("the target accepts the app; {ADDED}")
        }
        Step::Connect => "the target accepts the app".to_owned(),
        Step::Publish if place.is_signed => {
            format!("the target accepts the stream key; {ADDED}")
        }
        Step::Publish => "the target accepts the stream key".to_owned(),
    }
}
