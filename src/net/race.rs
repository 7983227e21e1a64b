//! Happy eyeballs: which of a name's addresses to connect to, without waiting for the dead ones (RFC 8305).
//!
//! A target whose name has an IPv6 address on a network without IPv6 must not fail every second attempt, and one dead
//! address must not cost a whole timeout.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;

/// How long an attempt has for itself before the next address is tried beside it (RFC 8305, section 5).
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Orders addresses so that families alternate, beginning with the family of the first; the order inside a family
/// stays (RFC 8305, section 4).
pub fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (preferred, other): (Vec<_>, Vec<_>) = addresses
        .into_iter()
        .partition(|address| address.is_ipv6() == first_is_v6);
    let mut ordered = Vec::with_capacity(preferred.len() + other.len());
    let mut other = other.into_iter();
    for address in preferred {
        ordered.push(address);
        ordered.extend(other.next());
    }
    ordered.extend(other);
    ordered
}

/// Connects to the first of `addresses` that answers. A new attempt starts [`ATTEMPT_DELAY`] after the one before it,
/// or as soon as one failed; the losers are dropped.
///
/// # Errors
/// Where all fail, the address and error that tell most: a refusal says more than a silence, and that says more than
/// a missing route. `None` where there was no address.
pub async fn race<S, F>(
    addresses: &[SocketAddr],
    connect: impl Fn(SocketAddr) -> F,
) -> Result<(S, SocketAddr), Option<(SocketAddr, io::Error)>>
where
    F: Future<Output = io::Result<S>>,
{
    let attempt = |address: SocketAddr| {
        let connecting = connect(address);
        async move { (address, connecting.await) }
    };
    let mut waiting = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut worst: Option<(SocketAddr, io::Error)> = None;

    running.extend(waiting.next().map(&attempt));
    let next_start = tokio::time::sleep(ATTEMPT_DELAY);
    tokio::pin!(next_start);
    loop {
        tokio::select! {
            // An answer that is there already wins over another attempt.
            biased;
            finished = running.next() => match finished {
                None => return Err(worst),
                Some((address, Ok(stream))) => return Ok((stream, address)),
                Some((address, Err(error))) => {
                    if worst.as_ref().is_none_or(|(_, known)| says_more(&error, known)) {
                        worst = Some((address, error));
                    }
                }
            },
            () = &mut next_start, if waiting.len() > 0 => {}
        }
        if let Some(address) = waiting.next() {
            running.push(attempt(address));
            next_start
                .as_mut()
                .reset(tokio::time::Instant::now() + ATTEMPT_DELAY);
        }
    }
}

fn says_more(error: &io::Error, known: &io::Error) -> bool {
    weight(error) > weight(known)
}

fn weight(error: &io::Error) -> u8 {
    match error.kind() {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::AddrNotAvailable => 0,
        io::ErrorKind::HostUnreachable => 1,
        io::ErrorKind::TimedOut => 2,
        io::ErrorKind::ConnectionRefused => 4,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;
    use std::sync::Mutex;
    use tokio::time::Instant;

    #[derive(Clone, Copy)]
    enum Peer {
        Answers(u64),
        Fails(u64, io::ErrorKind),
        Silent,
    }
    use Peer::*;

    fn v4(last: u8) -> SocketAddr {
        ([8, 8, 8, last], 1935).into()
    }

    fn v6(last: u16) -> SocketAddr {
        ([0x2606, 0, 0, 0, 0, 0, 0, last], 1935).into()
    }

    /// Races scripted peers on the paused clock; returns who won or failed, when, and when each attempt began.
    async fn run(
        peers: &[(SocketAddr, Peer)],
    ) -> (
        Result<SocketAddr, Option<(SocketAddr, io::ErrorKind)>>,
        u128,
        Vec<(SocketAddr, u128)>,
    ) {
        let script: HashMap<_, _> = peers.iter().copied().collect();
        let addresses: Vec<_> = peers.iter().map(|(address, _)| *address).collect();
        let started = Mutex::new(Vec::new());
        let zero = Instant::now();
        let outcome = race(&addresses, |address| {
            started
                .lock()
                .unwrap()
                .push((address, zero.elapsed().as_millis()));
            let peer = script[&address];
            async move {
                match peer {
                    Answers(after) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Ok(())
                    }
                    Fails(after, kind) => {
                        tokio::time::sleep(Duration::from_millis(after)).await;
                        Err(kind.into())
                    }
                    Silent => std::future::pending().await,
                }
            }
        })
        .await
        .map(|((), address)| address)
        .map_err(|failure| failure.map(|(address, error)| (address, error.kind())));
        let took = zero.elapsed().as_millis();
        (outcome, took, started.into_inner().unwrap())
    }

    #[test]
    fn families_alternate_from_the_resolvers_first() {
        assert_eq!(
            interleave(vec![v6(1), v6(2), v6(3), v4(1)]),
            [v6(1), v4(1), v6(2), v6(3)]
        );
        assert_eq!(
            interleave(vec![v4(1), v6(1), v6(2), v6(3)]),
            [v4(1), v6(1), v6(2), v6(3)]
        );
        assert_eq!(interleave(vec![v4(2), v4(1)]), [v4(2), v4(1)]);
        assert!(interleave(Vec::new()).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_address_wins_when_it_answers_in_time() {
        let (winner, took, started) = run(&[(v6(1), Answers(200)), (v4(1), Answers(0))]).await;
        assert_eq!(winner, Ok(v6(1)));
        assert_eq!(took, 200);
        assert_eq!(started.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_a_quarter_of_a_second() {
        let (winner, took, started) = run(&[(v6(1), Silent), (v4(1), Answers(30))]).await;
        assert_eq!(winner, Ok(v4(1)));
        assert_eq!(took, 280);
        assert_eq!(started, [(v6(1), 0), (v4(1), 250)]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_first_answer_still_wins_over_a_later_one() {
        let (winner, took, _) = run(&[(v6(1), Answers(300)), (v4(1), Answers(100))]).await;
        assert_eq!(winner, Ok(v6(1)));
        assert_eq!(took, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn a_failure_starts_the_next_attempt_at_once() {
        let unreachable = Fails(1, io::ErrorKind::NetworkUnreachable);
        let (winner, took, started) = run(&[(v6(1), unreachable), (v4(1), Answers(20))]).await;
        assert_eq!(winner, Ok(v4(1)));
        assert_eq!(took, 21);
        assert_eq!(started, [(v6(1), 0), (v4(1), 1)]);
    }

    #[tokio::test(start_paused = true)]
    async fn after_an_early_start_the_next_has_its_full_delay() {
        let refused = Fails(100, io::ErrorKind::ConnectionRefused);
        let (winner, _, started) =
            run(&[(v6(1), refused), (v4(1), Silent), (v6(2), Answers(5))]).await;
        assert_eq!(winner, Ok(v6(2)));
        assert_eq!(started, [(v6(1), 0), (v4(1), 100), (v6(2), 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_most_telling_error_is_kept() {
        let (failure, took, _) = run(&[
            (v6(1), Fails(0, io::ErrorKind::NetworkUnreachable)),
            (v4(1), Fails(10, io::ErrorKind::ConnectionRefused)),
            (v4(2), Fails(10, io::ErrorKind::TimedOut)),
        ])
        .await;
        assert_eq!(
            failure,
            Err(Some((v4(1), io::ErrorKind::ConnectionRefused)))
        );
        assert_eq!(took, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn no_address_is_a_failure_without_one() {
        let (failure, took, _) = run(&[]).await;
        assert_eq!(failure, Err(None));
        assert_eq!(took, 0);
    }
}
