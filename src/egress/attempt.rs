//! One attempt: from a URL to a target that takes media, through redirects and rounds of authentication.

use super::failure::Failure;
use super::signing::{Place, Signing};
use super::transport::Transport;
use crate::net::dial::Dialer;
use crate::net::tls;
use crate::rtmp::auth::Challenge;
use crate::rtmp::handshake;
use crate::rtmp::limits::{AUTH_ROUNDS_MAX, HANDSHAKE_TIMEOUT, REDIRECTS_MAX};
use crate::rtmp::session::Stage;
use crate::rtmp::session::client::{ClientConfig, ClientEvent, ClientSession, Enhanced, Redirect};
use crate::rule::{CdnAuth, Scheme, TargetUrl};
use crate::secret::Secret;
use arc_swap::ArcSwap;
use bytes::BytesMut;
use rustls::ClientConfig as TlsConfig;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout, timeout_at};

/// How long a target may take for TLS.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a target may take from `connect` to its consent. FFmpeg's and OBS's users wait no longer either.
const CONSENT_TIMEOUT: Duration = Duration::from_secs(15);

/// How targets are reached.
#[derive(Clone)]
pub struct Reach {
    /// Resolves, judges and connects.
    pub dialer: Arc<Dialer>,
    /// The roots that targets' certificates are checked against.
    pub tls: Arc<TlsConfig>,
    /// What CDNs want to see beside a stream's name; a reload puts others in.
    pub auth: Arc<ArcSwap<CdnAuth>>,
}

/// What is said to the target.
#[derive(Clone, Debug)]
pub struct Manner {
    /// The chunk size towards it, in bytes.
    pub chunk_size: u32,
    /// Whether the handshake has a digest, as Flash's has, or none, as OBS's.
    pub digest_handshake: bool,
    /// What to announce of Enhanced RTMP, where the stream uses it.
    pub enhanced: Option<Enhanced>,
    /// How far to go.
    pub depth: Depth,
}

/// How far an attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// To the answer to `connect`: nothing is published, and nobody who watches there sees anything.
    Connect,
    /// To the consent to publish.
    Publish,
}

/// How far an attempt has come, for those who watch it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Name and TCP connection.
    Dial,
    /// TLS.
    Tls,
    /// The RTMP handshake.
    Handshake,
    /// `connect`.
    Connect,
    /// `createStream` and `publish`.
    Publish,
}

/// A target that takes media.
pub struct Established<W = Transport> {
    /// The connection.
    pub transport: W,
    /// The session on it.
    pub session: ClientSession,
    /// What the target sent and the session has not read.
    pub inbox: BytesMut,
    /// Where it is: the rule's target, or where that has sent us, with the token that was shown there.
    pub place: TargetUrl,
}

/// Where a connection led.
enum Answer {
    /// It takes media or, where nothing more was asked for, it let us connect.
    Consent(Box<Established>),
    Redirect(Redirect),
    Auth(Challenge),
}

impl Reach {
    /// Tries to have `url` take media. `watch` is told of every step that is begun, and where.
    ///
    /// # Errors
    /// Whatever stands in the way; see [`Failure::next`].
    pub async fn establish(
        &self,
        url: &TargetUrl,
        manner: &Manner,
        mut watch: impl FnMut(Step, &Place),
    ) -> Result<Established, Failure> {
        let first = url;
        let mut url = first.clone();
        let (mut redirects, mut rounds) = (0, 0);
        let mut auth_query = None;
        let mut signing = Signing::new(self.auth.load_full());
        loop {
            let place = signing.place(&url);
            let mut at = Step::Dial;
            let mut watch_place = |step| {
                at = step;
                watch(step, &place);
            };
            let answer = self
                .connect(&place.url, manner, auth_query.take(), &mut watch_place)
                .await;
            let answer = match answer {
                Ok(answer) => answer,
                Err(failure) if signing.turns_to_backup_key(&place, at, &failure) => {
                    (url, rounds) = (first.clone(), 0);
                    continue;
                }
                Err(failure) => return Err(failure.masked(&place.url)),
            };
            match answer {
                Answer::Consent(established) => return Ok(*established),
                Answer::Redirect(redirect) => {
                    redirects += 1;
                    if redirects > REDIRECTS_MAX {
                        return Err(Failure::Redirects);
                    }
                    url = follow(&url, &redirect).ok_or(Failure::BadRedirect)?;
                }
                Answer::Auth(challenge) => {
                    rounds += 1;
                    if rounds > AUTH_ROUNDS_MAX {
                        return Err(Failure::AuthRounds);
                    }
                    let (user, password) = url.credentials().ok_or(Failure::NoCredentials)?;
                    let answer =
                        challenge.answer(user, password.expose(), url.app(), random_nonce());
                    auth_query = Some(Secret::new(answer));
                }
            }
        }
    }

    async fn connect(
        &self,
        url: &TargetUrl,
        manner: &Manner,
        auth_query: Option<Secret>,
        watch: &mut impl FnMut(Step),
    ) -> Result<Answer, Failure> {
        watch(Step::Dial);
        let tcp = self.dialer.dial(url.host(), url.port_or_default()).await?;
        let mut transport = match url.scheme() {
            Scheme::Rtmp => Transport::Plain(tcp),
            Scheme::Rtmps => {
                watch(Step::Tls);
                let tls = timeout(TLS_TIMEOUT, tls::connect(&self.tls, url.host(), tcp))
                    .await
                    .map_err(|_| too_slow("TLS handshake", TLS_TIMEOUT))??;
                Transport::Tls(Box::new(tls))
            }
        };
        watch(Step::Handshake);
        let mut inbox = BytesMut::new();
        timeout(
            HANDSHAKE_TIMEOUT,
            shake_hands(&mut transport, &mut inbox, manner),
        )
        .await
        .map_err(|_| too_slow("RTMP handshake", HANDSHAKE_TIMEOUT))??;
        watch(Step::Connect);
        let session = ClientSession::new(ClientConfig {
            chunk_size: manner.chunk_size,
            enhanced: manner.enhanced.clone(),
            auth_query,
            ..ClientConfig::new(url.app(), url.tc_url(), url.name())
        });
        let talk = Established {
            transport,
            session,
            inbox,
            place: url.clone(),
        };
        ask(talk, manner.depth, watch).await
    }
}

async fn shake_hands(
    transport: &mut Transport,
    inbox: &mut BytesMut,
    manner: &Manner,
) -> Result<(), Failure> {
    let mut handshake = match manner.digest_handshake {
        true => handshake::Client::digest(),
        false => handshake::Client::plain(random_seed()),
    };
    loop {
        let mut unread: &[u8] = inbox;
        let progress = handshake.read(&mut unread)?;
        let read = inbox.len() - unread.len();
        drop(inbox.split_to(read));
        transport.write_all(&progress.output).await?;
        transport.flush().await?;
        if progress.done {
            return Ok(());
        }
        receive(transport, inbox, "during the handshake").await?;
    }
}

/// `connect`, `createStream` and `publish`, up to the target's answer.
async fn ask(
    mut talk: Established,
    depth: Depth,
    watch: &mut impl FnMut(Step),
) -> Result<Answer, Failure> {
    let began = Instant::now();
    let mut stage = Stage::Connect;
    loop {
        match talk.hear(began)? {
            Some(ClientEvent::Published) => return Ok(Answer::Consent(Box::new(talk))),
            Some(ClientEvent::Refused(refused)) => return Err(Failure::Refused(refused)),
            Some(ClientEvent::Redirect(redirect)) => return Ok(Answer::Redirect(redirect)),
            Some(ClientEvent::Auth(challenge)) => return Ok(Answer::Auth(challenge)),
            Some(ClientEvent::Ended(ended)) => return Err(Failure::Ended(ended)),
            Some(ClientEvent::Acknowledged(_) | ClientEvent::ReconnectRequest { .. }) => {}
            None => {
                if stage == Stage::Connect && talk.session.stage() != Stage::Connect {
                    if depth == Depth::Connect {
                        return Ok(Answer::Consent(Box::new(talk)));
                    }
                    watch(Step::Publish);
                }
                stage = talk.session.stage();
                let heard = timeout_at(began + CONSENT_TIMEOUT, talk.exchange(began)).await;
                heard.map_err(|_| too_slow(awaited(stage), CONSENT_TIMEOUT))??;
            }
        }
    }
}

impl Established {
    /// What the session makes of the bytes that are there.
    fn hear(&mut self, began: Instant) -> Result<Option<ClientEvent>, Failure> {
        let mut unread: &[u8] = &self.inbox;
        let event = self.session.read(&mut unread, began.elapsed());
        let read = self.inbox.len() - unread.len();
        drop(self.inbox.split_to(read));
        Ok(event?)
    }

    /// Sends what the session has to say, and waits for bytes, or for the moment at which their absence means something.
    async fn exchange(&mut self, began: Instant) -> Result<(), Failure> {
        let output = self.session.output().split();
        self.transport.write_all(&output).await?;
        self.transport.flush().await?;
        let when = unanswered(self.session.stage());
        let read = receive(&mut self.transport, &mut self.inbox, when);
        match self.session.deadline() {
            None => read.await,
            Some(deadline) => match timeout_at(began + deadline, read).await {
                Ok(received) => received,
                Err(_) => Ok(()),
            },
        }
    }
}

/// What is waited for.
fn awaited(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "answer to connect",
        Stage::CreateStream => "answer to createStream",
        Stage::Publish | Stage::Play | Stage::Live => "answer to publish",
    }
}

/// When the target closed.
fn unanswered(stage: Stage) -> &'static str {
    match stage {
        Stage::Connect => "before its answer to connect",
        Stage::CreateStream => "before its answer to createStream",
        Stage::Publish | Stage::Play | Stage::Live => "before its answer to publish",
    }
}

async fn receive(
    transport: &mut Transport,
    inbox: &mut BytesMut,
    when: &'static str,
) -> Result<(), Failure> {
    match transport.read_buf(inbox).await? {
        0 => Err(Failure::Closed(when)),
        _ => Ok(()),
    }
}

/// Where a redirect leads: our name, at the place that the target says; never from RTMPS to RTMP, and never with the
/// credentials that were meant for another host.
fn follow(from: &TargetUrl, redirect: &Redirect) -> Option<TargetUrl> {
    let to = match redirect {
        Redirect::Url(url) => TargetUrl::parse(url).ok()?,
        Redirect::TcUrl(tc_url) => TargetUrl::at(tc_url, from.name()).ok()?,
    };
    let downgrade = from.scheme() == Scheme::Rtmps && to.scheme() == Scheme::Rtmp;
    (!downgrade).then_some(to)
}

fn random_seed() -> u64 {
    getrandom::u64().unwrap_or_default()
}

fn random_nonce() -> u32 {
    // Without entropy the nonce is a constant: the response is as valid, and only replay within it is easier.
    getrandom::u32().unwrap_or(0x5eed_0001)
}

fn too_slow(what: &'static str, within: Duration) -> Failure {
    Failure::TooSlow { what, within }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> TargetUrl {
        TargetUrl::parse(text).unwrap()
    }

    #[test]
    fn a_redirect_leads_to_our_name_at_another_place() {
        let from = url("rtmp://user:pass@a/app/one/two?key=x");
        let to = follow(&from, &Redirect::TcUrl("rtmp://b:1936/other/".into())).unwrap();
        assert_eq!(to.host(), "b");
        assert_eq!((to.app(), to.name()), ("other", from.name()));
        assert!(to.credentials().is_none());
        let to = follow(&from, &Redirect::Url("rtmps://c/live/name?y=1".into())).unwrap();
        assert_eq!((to.app(), to.name()), ("live", "name?y=1"));
    }

    #[test]
    fn a_redirect_never_leaves_tls_and_never_leads_elsewhere_than_to_rtmp() {
        let from = url("rtmps://a/app/key");
        for to in ["rtmp://b/app", "http://b/app", "b/app", ""] {
            assert!(follow(&from, &Redirect::TcUrl(to.into())).is_none(), "{to}");
        }
        assert!(follow(&from, &Redirect::TcUrl("rtmps://b/app".into())).is_some());
    }
}
