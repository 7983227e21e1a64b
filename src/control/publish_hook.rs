//! The publish hook: an app's owner is asked over HTTP whether somebody may publish.

use axum::http::StatusCode;
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::host_judge::HostJudge;
use super::lent_rules::{LENT_RULES_MAX, Loan, PendingLoans};
use super::webhooks::signed;
use crate::ingest::{HookAnswer, PublishHook, PublishWish};
use crate::notify::{HttpPost, PostError, Shaped};
use crate::rule::{HttpUrl, UrlTemplate};
use crate::secret::Secret;

/// The time for the whole of a question. Encoders wait about ten seconds for their publish.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(5);

/// Questions of one app under way at one time, each a connection. A service that answers within 50 ms takes 2500 publishers a second
/// so; the next ones wait for their turn, within [`HOOK_TIMEOUT`].
pub const HOOK_CALLS_MAX: usize = 128;

/// An answer's body, in bytes.
pub const HOOK_ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Characters of a reason that an encoder is shown.
pub const HOOK_REASON_CHARS_MAX: usize = 200;

/// What holds where the hook gives no answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HookDown {
    /// Nobody may publish.
    #[default]
    Refuse,
    /// Everybody may, each known by what it showed. Not where the hook was not asked at all, for there being too many questions:
    /// a crowd would let itself in.
    Allow,
}

/// A hook that is asked over HTTP.
#[derive(Clone)]
pub struct HttpHook {
    /// What it is asked with, as all hooks are.
    pub means: HookMeans,
    /// Where. Prints masked.
    pub url: HttpUrl,
    /// What questions are signed with, as webhooks are.
    pub secret: Option<Secret>,
    /// What holds where it gives no answer.
    pub down: HookDown,
    /// How many questions are under way.
    pub calls: HookCalls,
}

/// What all hooks have in common. Cheap to clone.
#[derive(Clone)]
pub struct HookMeans {
    /// How they are called.
    pub post: HttpPost,
    /// Where the rules go that they name.
    pub loans: Arc<PendingLoans>,
    /// What those rules may not call.
    pub judge: HostJudge,
}

/// Places for [`HOOK_CALLS_MAX`] questions. All clones are one.
#[derive(Clone, Debug)]
pub struct HookCalls(Arc<Semaphore>);

impl Default for HookCalls {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(HOOK_CALLS_MAX)))
    }
}

impl std::fmt::Debug for HttpHook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "HttpHook({})", self.url)
    }
}

/// What it is asked.
#[derive(Serialize)]
struct Question<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    app: &'a str,
    stream: &'a str,
    /// What the publisher put behind its name, or its server, and a `?`.
    query: &'a str,
    peer: String,
}

/// What it may answer; what else is in it is not looked at.
#[derive(Debug, Default, Deserialize)]
struct Reply {
    allow: Option<bool>,
    reason: Option<String>,
    identity: Option<String>,
    #[serde(default)]
    rules: Vec<WantedRule>,
}

/// A rule for this publish.
#[derive(Debug, Deserialize)]
struct WantedRule {
    url: Secret,
    backup_url: Option<Secret>,
}

/// What an answer comes to.
#[derive(Debug, PartialEq)]
struct Decided {
    answer: HookAnswer,
    loans: Vec<Loan>,
}

impl PublishHook for HttpHook {
    fn ask<'a>(&'a self, wish: PublishWish<'a>) -> BoxFuture<'a, HookAnswer> {
        Box::pin(async move {
            let deadline = Instant::now() + HOOK_TIMEOUT;
            let Ok(Ok(_place)) = timeout_at(deadline, self.calls.0.acquire()).await else {
                let why = format!(
                    "{HOOK_CALLS_MAX} other publishers wait for its answers, and none came within {} s",
                    HOOK_TIMEOUT.as_secs()
                );
                return HookAnswer::Unanswered { why };
            };
            let asked = timeout_at(deadline, self.question(wish)).await;
            let why = match asked {
                Ok(Ok((status, body))) => match answer(status, &body, &self.means.judge) {
                    Ok(decided) => {
                        // Told of no rules, too: those of the publisher before are over then.
                        if matches!(decided.answer, HookAnswer::Allowed { .. }) {
                            let stream = wish.stream.clone();
                            self.means.loans.push(stream, wish.peer, decided.loans);
                        }
                        return decided.answer;
                    }
                    Err(why) => why,
                },
                Ok(Err(error)) => error.to_string(),
                Err(_) => format!("no answer within {} s", HOOK_TIMEOUT.as_secs()),
            };
            match self.down {
                HookDown::Refuse => HookAnswer::Unanswered { why },
                HookDown::Allow => {
                    tracing::warn!(hook = %self.url, error = %why, "the publish hook gives no answer; the publisher is let in");
                    HookAnswer::Allowed { identity: None }
                }
            }
        })
    }
}

impl HttpHook {
    async fn question(&self, wish: PublishWish<'_>) -> Result<(u16, Vec<u8>), PostError> {
        let now = OffsetDateTime::now_utc();
        let question = Question {
            kind: "publish.request",
            at: now,
            app: wish.stream.app.as_str(),
            stream: wish.stream.name.as_str(),
            query: wish.query,
            peer: wish.peer.to_string(),
        };
        let body = serde_json::to_string(&question).unwrap_or_default();
        let shaped = match &self.secret {
            Some(secret) => signed(secret, &body, now),
            None => Shaped::json(body),
        };
        let asked = self
            .means
            .post
            .ask(&self.url, shaped, HOOK_ANSWER_BYTES_MAX);
        asked.await
    }
}

/// What an answer means, or why it is none.
fn answer(status: u16, body: &[u8], judge: &HostJudge) -> Result<Decided, String> {
    let is = |class: u16| status / 100 == class;
    if !is(2) && !is(4) || status == StatusCode::TOO_MANY_REQUESTS.as_u16() {
        return Err(format!("it answered {status}"));
    }
    let reply: Reply = match body.trim_ascii() {
        [] => Reply::default(),
        body => match serde_json::from_slice(body) {
            Ok(reply) => reply,
            // A page of an error is as good a no as any.
            Err(_) if is(4) => Reply::default(),
            Err(_) => {
                return Err(
                    "its answer is no JSON object of the kind that is documented".to_owned(),
                );
            }
        },
    };
    if is(2) && reply.allow.unwrap_or(true) {
        let identity = reply.identity.map(Secret::new);
        return Ok(Decided {
            answer: HookAnswer::Allowed { identity },
            loans: loans(reply.rules, judge)?,
        });
    }
    let reason = reply.reason.unwrap_or_default();
    let shown = reason.chars().filter(|c| !c.is_control());
    let reason = shown.take(HOOK_REASON_CHARS_MAX).collect();
    Ok(Decided {
        answer: HookAnswer::Refused { reason },
        loans: Vec::new(),
    })
}

/// The rules that it names. An answer with a wrong URL, or with one that may not be called, is none: whoever publishes would be live at
/// fewer places than meant.
fn loans(wanted: Vec<WantedRule>, judge: &HostJudge) -> Result<Vec<Loan>, String> {
    if wanted.len() > LENT_RULES_MAX {
        return Err(format!("it names more than {LENT_RULES_MAX} rules"));
    }
    let parse = |url: &Secret| {
        let parsed = UrlTemplate::parse(url.expose());
        let parsed =
            parsed.map_err(|error| format!("it names a rule with a wrong URL: {error}"))?;
        let target = parsed.target();
        judge(target.host(), target.port_or_default())
            .map_err(|why| format!("it names a rule whose URL is refused: {why}"))?;
        Ok::<_, String>(parsed)
    };
    let loan = |rule: &WantedRule| {
        Ok(Loan {
            url: parse(&rule.url)?,
            backup_url: rule.backup_url.as_ref().map(parse).transpose()?,
        })
    };
    wanted.iter().map(loan).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::host_judge::host_judge;
    use crate::net::dial::Dialer;
    use crate::net::own::OwnListeners;
    use crate::net::policy::AddressPolicy;
    use crate::net::resolve::SystemResolver;
    use crate::net::tls;
    use crate::rule::StreamKey;
    use std::net::SocketAddr;
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    const YES: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

    /// Lets every host pass.
    fn any() -> HostJudge {
        Arc::new(|_, _| Ok(()))
    }

    fn refused(reason: &str) -> Result<HookAnswer, ()> {
        let reason = reason.to_owned();
        Ok(HookAnswer::Refused { reason })
    }

    #[test]
    fn an_answer_allows_refuses_or_is_none() {
        let allowed = |identity: Option<&str>| {
            let identity = identity.map(Secret::new);
            Ok(HookAnswer::Allowed { identity })
        };
        for (status, body, expected) in [
            (200, "", allowed(None)),
            (204, "", allowed(None)),
            (200, "{}", allowed(None)),
            (200, r#"{"allow":true,"more":[1]}"#, allowed(None)),
            (200, r#"{"identity":"studio"}"#, allowed(Some("studio"))),
            (200, r#"{"allow":false}"#, refused("")),
            (
                200,
                r#"{"allow":false,"reason":"not\u0007 you"}"#,
                refused("not you"),
            ),
            (403, "", refused("")),
            (403, r#"{"reason":"expired"}"#, refused("expired")),
            (403, r#"{"allow":true}"#, refused("")),
            (404, "<html>", refused("")),
            (200, "OK", Err(())),
            (200, "<html>", Err(())),
            (200, r#"{"allow":"yes"}"#, Err(())),
            (302, "", Err(())),
            (429, "", Err(())),
            (500, r#"{"allow":true}"#, Err(())),
        ] {
            let given = answer(status, body.as_bytes(), &any()).map(|decided| decided.answer);
            let given = given.map_err(|_| ());
            assert_eq!(given, expected, "{status} {body}");
        }
    }

    #[test]
    fn an_answer_names_rules_and_one_with_a_wrong_url_is_none() {
        let body = r#"{"rules":[{"url":"rtmp://h/a/{stream}","backup_url":"rtmp://h/a/b"},{"url":"rtmp://h/a/c"}]}"#;
        let loans = answer(200, body.as_bytes(), &any()).unwrap().loans;
        assert_eq!(loans.len(), 2);
        assert_eq!(loans[0].url.expose(), "rtmp://h/a/{stream}");
        assert!(loans[0].backup_url.is_some() && loans[1].backup_url.is_none());
        let wrong = answer(200, br#"{"rules":[{"url":"ftp://h/canary"}]}"#, &any()).unwrap_err();
        assert!(!wrong.contains("canary"), "{wrong}");
        let strict = host_judge(AddressPolicy::default(), Arc::default());
        for refused in [
            r#"{"url":"rtmp://2130706433/a/canary"}"#,
            r#"{"url":"rtmp://h/a/b","backup_url":"rtmp://[::ffff:7f00:1]/a/canary"}"#,
        ] {
            let body = format!("{{\"rules\":[{{\"url\":\"rtmp://h/a/b\"}},{refused}]}}");
            let why = answer(200, body.as_bytes(), &strict).unwrap_err();
            assert!(why.contains("127.0.0.1 is a loopback address"), "{why}");
            assert!(!why.contains("canary"), "{why}");
        }
        let many = vec![r#"{"url":"rtmp://h/a/c"}"#; LENT_RULES_MAX + 1].join(",");
        assert!(answer(200, format!("{{\"rules\":[{many}]}}").as_bytes(), &any()).is_err());
    }

    fn hook(place: SocketAddr, down: HookDown) -> HttpHook {
        let policy = AddressPolicy {
            allow_private: true,
        };
        let own = Arc::new(OwnListeners::new());
        let dialer = Dialer::new(Arc::new(SystemResolver::new()), policy, own);
        HttpHook {
            means: HookMeans {
                post: HttpPost {
                    dialer: Arc::new(dialer),
                    tls: tls::client_config(&[]).unwrap(),
                },
                loans: Arc::default(),
                judge: any(),
            },
            url: HttpUrl::parse(&format!("http://{place}/canary")).unwrap(),
            secret: None,
            down,
            calls: HookCalls::default(),
        }
    }

    async fn ask(hook: &HttpHook) -> HookAnswer {
        let stream = StreamKey::parse("live", "cam").unwrap();
        let wish = PublishWish {
            stream: &stream,
            query: "token=canary",
            peer: "192.0.2.7:4000".parse().unwrap(),
        };
        hook.ask(wish).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_is_asked_about_in_turn() {
        // A clock that stands still, however slow the machine is: it only moves where nobody has anything to do.
        let _busy = tokio::spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        let receiver = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hook = hook(receiver.local_addr().unwrap(), HookDown::Refuse);
        let crowd = HOOK_CALLS_MAX + 20;
        let mut publishers = JoinSet::new();
        for _ in 0..crowd {
            let hook = hook.clone();
            publishers.spawn(async move { ask(&hook).await });
        }
        let mut waiting = Vec::new();
        while waiting.len() < HOOK_CALLS_MAX {
            waiting.push(receiver.accept().await.unwrap().0);
        }
        for _ in 0..1000 {
            tokio::select! {
                biased;
                _ = receiver.accept() => panic!("one more than there are places for"),
                () = tokio::task::yield_now() => {}
            }
        }
        // Each answer makes room for one.
        for asked in 0..crowd {
            if asked + HOOK_CALLS_MAX < crowd {
                let mut answered = waiting.pop().unwrap();
                answered.write_all(YES).await.unwrap();
                waiting.push(receiver.accept().await.unwrap().0);
            } else {
                waiting.pop().unwrap().write_all(YES).await.unwrap();
            }
        }
        let answers = publishers.join_all().await;
        let allowed = HookAnswer::Allowed { identity: None };
        assert_eq!(answers.len(), crowd);
        assert!(answers.iter().all(|answer| *answer == allowed));
    }

    #[tokio::test(start_paused = true)]
    async fn whom_there_was_no_time_to_ask_about_is_refused_whatever_holds_else() {
        for down in [HookDown::Refuse, HookDown::Allow] {
            let hook = hook("127.0.0.1:1".parse().unwrap(), down);
            let _all = hook.calls.0.acquire_many(HOOK_CALLS_MAX as u32).await;
            let began = Instant::now();
            let HookAnswer::Unanswered { why } = ask(&hook).await else {
                panic!("a crowd lets itself in");
            };
            assert!(why.contains("128 other publishers"), "{why}");
            assert_eq!(began.elapsed(), HOOK_TIMEOUT);
        }
    }

    #[tokio::test]
    async fn a_hook_that_is_away_lets_nobody_in_unless_that_is_said() {
        // Bound and closed again: nobody listens there.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        drop(listener);
        let HookAnswer::Unanswered { why } = ask(&hook(place, HookDown::Refuse)).await else {
            panic!("nobody is there to let anybody in");
        };
        assert!(
            why.contains("127.0.0.1") && !why.contains("canary"),
            "{why}"
        );
        let let_in = ask(&hook(place, HookDown::Allow)).await;
        assert_eq!(let_in, HookAnswer::Allowed { identity: None });
    }
}
