//! What a URL may not name, as far as its text tells: the same for every door, and for what a publish hook says.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::net::literal::address_literal;
use crate::net::own::OwnListeners;
use crate::net::policy::AddressPolicy;

/// Judges a literal host and port before a URL is taken: the address policy, and our own listeners. The text says why not.
/// Names pass: what they resolve to is judged at each attempt.
pub type HostJudge = Arc<dyn Fn(&str, u16) -> Result<(), String> + Send + Sync>;

/// Judges by this policy. Of `own` is asked each time.
pub fn host_judge(policy: AddressPolicy, own: Arc<OwnListeners>) -> HostJudge {
    Arc::new(move |host, port| {
        policy
            .judge_host_literal(host)
            .map_err(|denied| denied.to_string())?;
        match address_literal(host) {
            Some(address) if own.contains(SocketAddr::new(address, port)) => Err(
                "it is a listener of this gateway; the stream would come back to itself".to_owned(),
            ),
            _ => Ok(()),
        }
    })
}
