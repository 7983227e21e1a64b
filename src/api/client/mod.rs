//! The client door: what `clients/js` asks for on behalf of an app's own programs.
//!
//! It makes and ends relays as the ZEGO door does, one stream's at a time, for whoever shows that the app lets it. `docs/client.md`
//! describes it for those who speak to it themselves.

mod credential;
mod token;
mod wire;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use tower_http::cors::{AllowOrigin, CorsLayer};

pub use credential::sign;

use self::credential::Shown;
use self::wire::{Answer, Command, Wish};
use super::zego::{self, Account, Code, Rates, Refusal, Relays};
use super::{Doors, body};

/// Where it is.
pub(super) const PATH: &str = "/client/v1/publish_cdn";

/// How long a browser may remember that it may ask.
const PREFLIGHT_SECONDS: u64 = 600;

pub(super) fn routes(doors: &Doors) -> Router {
    let door = Arc::new(Door {
        doors: doors.clone(),
        rates: Mutex::default(),
    });
    let settings = doors.settings.clone();
    // The guard lets no other origin this far; this tells browsers so.
    let allowed = AllowOrigin::predicate(move |origin: &HeaderValue, _: &_| {
        settings.load().client_origins.have(origin)
    });
    let cors = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::POST])
        .allow_headers([header::CONTENT_TYPE, header::AUTHORIZATION])
        .max_age(Duration::from_secs(PREFLIGHT_SECONDS));
    Router::new()
        .route(PATH, post(publish_cdn).options(preflight).layer(cors))
        .with_state(door)
}

/// A browser's question has its own route, which the layer in front of it answers; whoever else asks learns what the path knows.
async fn preflight() -> (StatusCode, [(HeaderName, &'static str); 1]) {
    (StatusCode::NO_CONTENT, [(header::ALLOW, "POST")])
}

/// The door, and what it remembers of each app's clients.
struct Door {
    doors: Doors,
    rates: Mutex<HashMap<u32, Rates>>,
}

async fn publish_cdn(State(door): State<Arc<Door>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let bearer = head.headers.get(header::AUTHORIZATION);
    let body = body::read(body).await;
    let wish = body
        .map_err(|problem| Refusal::new(Code::InvalidRequest, problem.detail()))
        .and_then(|body| Wish::read(&body));
    let (seq, outcome) = match wish {
        Ok(wish) => (wish.seq, door.carry_out(&wish, bearer).await),
        Err(refusal) => (0, Err(refusal)),
    };
    Answer::new(seq, outcome).into_response()
}

impl Door {
    async fn carry_out(&self, wish: &Wish, bearer: Option<&HeaderValue>) -> Result<(), Refusal> {
        let settings = self.doors.settings.load_full();
        let settings = &settings.zego;
        let account = account(&settings.accounts, wish)?;
        let now = self.doors.clock.now().unix_timestamp();
        Shown::of(wish, bearer).check(account, &wish.stream_id, now)?;

        let environment = zego::environment_of(&wish.stream_id);
        zego::is_enabled(account, environment)?;
        let elapsed = self.doors.clock.elapsed();
        self.rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(account.app_id)
            .or_default()
            .count(environment, wish.command.action(), elapsed)
            .map_err(|refusal| Refusal {
                code: Code::ClientTooFrequent,
                ..refusal
            })?;

        let characters = settings.characters();
        let name = Some(wish.stream_id.as_str());
        let stream = zego::parse_stream_id(name, account, environment, characters)?;
        let relays = Relays {
            doors: &self.doors,
            account,
            stream: &stream,
        };
        let url = Some(wish.cdn_server.as_str()).filter(|url| !url.is_empty());
        let wish = match wish.command {
            // To a client, an address that is malformed and one that is refused are the same mistake.
            Command::Add => zego::Wish::create(url).map_err(|refusal| Refusal {
                code: Code::AddressRefused,
                ..refusal
            })?,
            Command::Remove => zego::Wish::delete(url)?,
            Command::Clear => zego::Wish::Clear,
        };
        relays.carry_out(wish).await
    }
}

/// The app that the wish names; where it names none, the only one that there is.
fn account<'a>(accounts: &'a [Account], wish: &Wish) -> Result<&'a Account, Refusal> {
    let found = match (wish.app_id, accounts) {
        (Some(app_id), _) => accounts.iter().find(|account| account.app_id == app_id),
        (None, [only]) => Some(only),
        (None, _) => {
            let why = "app_id is missing";
            return Err(Refusal::new(Code::InvalidRequest, why));
        }
    };
    // The same as for a wrong signature: nobody learns which apps there are.
    found.ok_or_else(credential::refused)
}
