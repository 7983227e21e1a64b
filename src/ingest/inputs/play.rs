//! Playing a live stream from an RTMP server, as a source of ours.

use super::fault::Fault;
use super::limits::{ANSWER_TIMEOUT, REDIRECTS_MAX};
use crate::net::outbound::{Io, Outbound};
use crate::rtmp::auth::Challenge;
use crate::rtmp::handshake;
use crate::rtmp::limits::AUTH_ROUNDS_MAX;
use crate::rtmp::session::Media;
use crate::rtmp::session::Stage;
use crate::rtmp::session::client::{ClientConfig, ClientError, Redirect};
use crate::rtmp::session::player::{PlayEvent, PlayerSession};
use crate::rule::{Scheme, TargetUrl};
use crate::secret::Secret;
use bytes::BytesMut;
use std::io;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

/// What is read at once, in bytes.
const READ_BYTES: usize = 256 * 1024;

/// A connection to a server that we play from.
pub(super) struct Player {
    io: Box<dyn Io>,
    session: PlayerSession,
    inbox: BytesMut,
    began: Instant,
    /// What was told behind media that had to be handed out first.
    told: Option<Result<PlayEvent, ClientError>>,
}

enum Answer {
    Playing(Box<Player>),
    Redirect(Redirect),
    Auth(Challenge),
}

impl Player {
    /// Connects, and asks for the stream. Media may come, or may not: what the server has said is that we may have it.
    pub(super) async fn open(outbound: &Outbound, url: &TargetUrl) -> Result<Self, Fault> {
        let mut url = url.clone();
        let (mut redirects, mut rounds) = (0, 0);
        let mut auth_query = None;
        loop {
            let asked = timeout(ANSWER_TIMEOUT, ask(outbound, &url, auth_query.take())).await;
            match asked.map_err(|_| Fault::NoAnswer)?? {
                Answer::Playing(player) => return Ok(*player),
                Answer::Redirect(redirect) => {
                    redirects += 1;
                    if redirects > REDIRECTS_MAX {
                        return Err(Fault::Redirects);
                    }
                    url = follow(&url, &redirect).ok_or(Fault::BadRedirect)?;
                }
                Answer::Auth(challenge) => {
                    rounds += 1;
                    let (user, password) = url.credentials().ok_or(Fault::Credentials)?;
                    if rounds > AUTH_ROUNDS_MAX {
                        return Err(Fault::Credentials);
                    }
                    let nonce = getrandom::u32().unwrap_or(0x5eed_0001);
                    let answer = challenge.answer(user, password.expose(), url.app(), nonce);
                    auth_query = Some(Secret::new(answer));
                }
            }
        }
    }

    /// Waits for media, and puts what there is into `out`. It may be dropped while it waits, and loses nothing.
    pub(super) async fn next(&mut self, out: &mut Vec<Media>) -> Result<(), Fault> {
        let before = out.len();
        loop {
            let heard = self.hear(out);
            self.flush().await?;
            let told = heard?;
            if out.len() > before {
                return Ok(());
            }
            match told {
                Some(PlayEvent::Refused(refused)) => return Err(Fault::Refused(refused)),
                Some(PlayEvent::Ended(ended)) => return Err(Fault::Ended(ended)),
                Some(PlayEvent::Redirect(_)) => return Err(Fault::BadRedirect),
                Some(PlayEvent::Auth(_)) => return Err(Fault::Credentials),
                Some(PlayEvent::Media(_)) | None => receive(&mut self.io, &mut self.inbox).await?,
            }
        }
    }

    /// Says goodbye.
    pub(super) async fn close(mut self) {
        self.session.finish();
        let _ = timeout(ANSWER_TIMEOUT, async {
            self.flush().await?;
            self.io.shutdown().await.map_err(Fault::from)
        })
        .await;
    }

    /// What the session makes of the bytes that are there: media goes into `out`, and what is not is told.
    fn hear(&mut self, out: &mut Vec<Media>) -> Result<Option<PlayEvent>, Fault> {
        if let Some(told) = self.told.take() {
            return Ok(Some(told?));
        }
        let before = out.len();
        let mut unread: &[u8] = &self.inbox;
        let told = loop {
            match self.session.read(&mut unread, self.began.elapsed()) {
                Ok(Some(PlayEvent::Media(media))) => out.push(media),
                other => break other.transpose(),
            }
        };
        let read = self.inbox.len() - unread.len();
        drop(self.inbox.split_to(read));
        if out.len() == before {
            return Ok(told.transpose()?);
        }
        self.told = told;
        Ok(None)
    }

    async fn flush(&mut self) -> Result<(), Fault> {
        let output = self.session.output();
        while !output.is_empty() {
            self.io.write_buf(output).await?;
        }
        self.io.flush().await?;
        Ok(())
    }
}

async fn ask(
    outbound: &Outbound,
    url: &TargetUrl,
    auth_query: Option<Secret>,
) -> Result<Answer, Fault> {
    let in_tls = url.scheme() == Scheme::Rtmps;
    let mut io = outbound
        .connect(url.host(), url.port_or_default(), in_tls)
        .await?;
    let mut inbox = BytesMut::new();
    shake_hands(&mut io, &mut inbox).await?;
    let session = PlayerSession::new(ClientConfig {
        auth_query,
        ..ClientConfig::new(url.app(), url.tc_url(), url.name())
    });
    let mut player = Player {
        io,
        session,
        inbox,
        began: Instant::now(),
        told: None,
    };
    loop {
        let mut unread: &[u8] = &player.inbox;
        // Media is left for whoever reads it: none comes before we have asked.
        let event = player.session.read(&mut unread, player.began.elapsed());
        let read = player.inbox.len() - unread.len();
        drop(player.inbox.split_to(read));
        player.flush().await?;
        match event? {
            Some(PlayEvent::Refused(refused)) => return Err(Fault::Refused(refused)),
            Some(PlayEvent::Ended(ended)) => return Err(Fault::Ended(ended)),
            Some(PlayEvent::Redirect(redirect)) => return Ok(Answer::Redirect(redirect)),
            Some(PlayEvent::Auth(challenge)) => return Ok(Answer::Auth(challenge)),
            Some(PlayEvent::Media(_)) => {}
            None if player.session.stage() == Stage::Play => {
                return Ok(Answer::Playing(Box::new(player)));
            }
            None => receive(&mut player.io, &mut player.inbox).await?,
        }
    }
}

async fn shake_hands(io: &mut Box<dyn Io>, inbox: &mut BytesMut) -> Result<(), Fault> {
    let mut handshake = handshake::Client::plain(getrandom::u64().unwrap_or_default());
    loop {
        let mut unread: &[u8] = inbox;
        let progress = handshake.read(&mut unread)?;
        let read = inbox.len() - unread.len();
        drop(inbox.split_to(read));
        io.write_all(&progress.output).await?;
        io.flush().await?;
        if progress.done {
            return Ok(());
        }
        receive(io, inbox).await?;
    }
}

async fn receive(io: &mut Box<dyn Io>, inbox: &mut BytesMut) -> Result<(), Fault> {
    inbox.reserve(READ_BYTES);
    match io.read_buf(inbox).await {
        Ok(0) => Err(Fault::Closed),
        Ok(_) => Ok(()),
        // A peer that closes without TLS's own goodbye has closed all the same.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(Fault::Closed),
        Err(error) => Err(error.into()),
    }
}

/// Where a redirect leads: our name, at the place that the server says; never out of TLS, and never with credentials that were meant
/// for another host.
fn follow(from: &TargetUrl, redirect: &Redirect) -> Option<TargetUrl> {
    let to = match redirect {
        Redirect::Url(url) => TargetUrl::parse(url).ok()?,
        Redirect::TcUrl(tc_url) => TargetUrl::at(tc_url, from.name()).ok()?,
    };
    let leaves_tls = from.scheme() == Scheme::Rtmps && to.scheme() == Scheme::Rtmp;
    (!leaves_tls).then_some(to)
}
