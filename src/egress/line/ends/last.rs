//! What is sent last, by ends that nothing flows through any more.

use super::Ends;
use crate::egress::transport::Wire;
use bytes::BytesMut;
use std::future::poll_fn;
use std::task::{Context, Poll};

impl<W: Wire> Ends<W> {
    /// Sends what waits and these chunks behind it; false where the target does not take them, or has closed. The connection
    /// is worth closing gracefully otherwise.
    pub(in crate::egress) async fn send_last(&mut self, chunks: &[u8]) -> bool {
        self.outbox.push_control(chunks);
        poll_fn(|cx| self.poll_last(cx)).await
    }

    fn poll_last(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        let mut scrap = BytesMut::new();
        loop {
            let read = match self.poll_read(cx, &mut scrap) {
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(_)) => true,
                Poll::Pending => false,
            };
            let Ok(sent) = self.write(cx) else {
                return Poll::Ready(false);
            };
            if self.is_empty() {
                return Poll::Ready(true);
            }
            if !read && sent.writes == 0 {
                return Poll::Pending;
            }
            scrap.clear();
        }
    }
}
