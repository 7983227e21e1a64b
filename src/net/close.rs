//! How a connection ends without losing what was sent last.
//!
//! A socket that is closed with unread input in it (an acknowledgement, a ping) discards its send queue and resets the
//! connection: of 2.8 MB that had been written, 4 KB arrived. So the sending side ends first, and what the peer still
//! says is read until it has ended too.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// How much is read at once while waiting for the end; its content is of no interest.
const SCRAP_BYTES: usize = 4 * 1024;

/// How a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Closed {
    /// The peer has ended too: it has all that was sent.
    ByBoth,
    /// The peer reset the connection, or it was broken before.
    Broken,
    /// The peer did not end within the deadline.
    Deadline,
}

/// Flushes and ends the sending side, then reads to the peer's end, discarding, for no longer than `deadline` in all.
/// The stream is dropped in every case.
pub async fn close_gracefully<S>(stream: S, deadline: Duration) -> Closed
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(deadline, end(stream)).await {
        Ok(Ok(())) => Closed::ByBoth,
        Ok(Err(_)) => Closed::Broken,
        Err(_) => Closed::Deadline,
    }
}

async fn end<S>(mut stream: S) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.shutdown().await?;
    // Not within the future: whoever may close one day would carry the room for it all its life.
    let mut scrap = vec![0; SCRAP_BYTES];
    while stream.read(&mut scrap).await? > 0 {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test]
    async fn all_that_was_written_arrives_though_input_is_unread() {
        const SENT: usize = 2 * 1024 * 1024;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let reader = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            // Chatter that the writer never asks for.
            peer.write_all(&[1; 1000]).await.unwrap();
            let mut all = Vec::new();
            let ended = peer.read_to_end(&mut all).await;
            (all.len(), ended.is_ok())
        });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.readable().await.unwrap();
        stream.write_all(&vec![7; SENT]).await.unwrap();
        assert_eq!(close_gracefully(stream, SECOND * 10).await, Closed::ByBoth);
        assert_eq!(reader.await.unwrap(), (SENT, true));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_ends_costs_the_deadline_and_no_more() {
        let (near, mut far) = duplex(64);
        far.write_all(b"still talking").await.unwrap();
        let begun = Instant::now();
        assert_eq!(close_gracefully(near, SECOND).await, Closed::Deadline);
        assert_eq!(begun.elapsed(), SECOND);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_talks_on_for_ever_is_left_at_the_deadline() {
        let (near, mut far) = duplex(64);
        let talker = tokio::spawn(async move {
            while far.write_all(b"more").await.is_ok() {
                // On the paused clock time passes only while everyone waits.
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        });
        assert_eq!(close_gracefully(near, SECOND).await, Closed::Deadline);
        talker.await.unwrap();
    }

    #[tokio::test]
    async fn a_peer_that_has_gone_is_no_wait() {
        let (near, far) = duplex(64);
        drop(far);
        assert_eq!(close_gracefully(near, SECOND * 10).await, Closed::ByBoth);
    }
}
