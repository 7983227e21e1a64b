//! What each vendor computes.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha2::Sha256;

use super::Subject;
use crate::secret::Secret;

/// The longest key, fixed query or template, in bytes: with the longest name it stays far below what a message may hold.
pub const AUTH_TEXT_BYTES_MAX: usize = 1024;

/// A vendor's way to authenticate a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// Nothing is added: the stream's name is the key, as with AWS IVS.
    None,
    /// The key is a query that is added as it stands.
    StaticQuery,
    /// Tencent Live, and Huawei Live B: `txSecret = md5(KEY + stream + txTime)`, with the expiry as `txTime`.
    TxSecret(HexCase),
    /// Alibaba Live A, and Huawei Live A: `auth_key = TIME-RANDOM-0-md5(/app/stream-TIME-RANDOM-0-KEY)`.
    AuthKey,
    /// Huawei Live D: `hwSecret = hmac_sha256(KEY, stream + hwTime)`.
    HwSecret(HexCase),
    /// Wangsu and others who hash a text by md5: which text, and which parameters.
    Template(Template, HexCase),
}

/// How a time is written in hexadecimal; as it is hashed as text, a token is good in one of them only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HexCase {
    /// `5C271099`.
    Upper,
    /// `5c271099`.
    Lower,
}

impl HexCase {
    fn write(self, number: u64) -> String {
        match self {
            Self::Upper => format!("{number:X}"),
            Self::Lower => format!("{number:x}"),
        }
    }
}

impl Formula {
    /// What goes behind the stream's name, without `?` or `&` before it; none where nothing does.
    pub(super) fn query(
        &self,
        subject: &Subject<'_>,
        key: &Secret,
        time: u64,
        random: &str,
    ) -> Option<String> {
        let (key, stream) = (key.expose(), subject.stream);
        Some(match self {
            Self::None => return None,
            Self::StaticQuery => key.to_owned(),
            Self::TxSecret(case) => {
                let time = case.write(time);
                let hash = md5_hex(&format!("{key}{stream}{time}"));
                format!("txSecret={hash}&txTime={time}")
            }
            Self::AuthKey => {
                let token = format!("{time}-{random}-0");
                let hash = md5_hex(&format!("{}-{token}-{key}", subject.path()));
                format!("auth_key={token}-{hash}")
            }
            Self::HwSecret(case) => {
                let time = case.write(time);
                let hash = hmac_sha256_hex(key, &format!("{stream}{time}"))?;
                format!("hwSecret={hash}&hwTime={time}")
            }
            Self::Template(template, case) => template.query(subject, key, &case.write(time)),
        })
    }
}

fn md5_hex(text: &str) -> String {
    hex::encode(Md5::digest(text))
}

fn hmac_sha256_hex(key: &str, text: &str) -> Option<String> {
    // It takes a key of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(text.as_bytes());
    Some(hex::encode(mac.finalize().into_bytes()))
}

/// A text to hash and a query that carries the hash, each with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    text: Vec<Piece>,
    query: Vec<Piece>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Plain(String),
    Key,
    Time,
    App,
    Stream,
    Path,
    Hash,
}

/// Which half of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplatePart {
    /// The text that is hashed.
    Text,
    /// The query.
    Query,
}

/// Why two texts are no template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct TemplateMistake {
    /// Where it is.
    pub part: TemplatePart,
    reason: &'static str,
}

impl Template {
    /// The text that Wangsu's domains want to have hashed, as ZEGO's documentation has it.
    pub const WANGSU_TEXT: &str = "{time}{path}{key}";

    /// The query beside it.
    pub const WANGSU_QUERY: &str = "wsSecret={hash}&wsABStime={time}";

    /// Reads both halves.
    ///
    /// # Errors
    /// A placeholder that is none, a half that lacks what makes it worth anything, or a query that would not stay one.
    pub fn parse(text: &str, query: &str) -> Result<Self, TemplateMistake> {
        let in_text = |reason| TemplateMistake {
            part: TemplatePart::Text,
            reason,
        };
        let in_query = |reason| TemplateMistake {
            part: TemplatePart::Query,
            reason,
        };
        let text = pieces(text)
            .filter(|pieces| !pieces.contains(&Piece::Hash))
            .ok_or(in_text(
                "braces stand around key, time, app, stream and path only",
            ))?;
        if !text.contains(&Piece::Key) {
            return Err(in_text("it needs {key}"));
        }
        if query.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '?' | '#')) {
            return Err(in_query("it has no spaces, control characters, ? or #"));
        }
        let of_a_query =
            |piece: &Piece| matches!(piece, Piece::Plain(_) | Piece::Hash | Piece::Time);
        let query = pieces(query)
            .filter(|pieces| pieces.iter().all(of_a_query))
            .ok_or(in_query("braces stand around hash and time only"))?;
        if !query.contains(&Piece::Hash) {
            return Err(in_query("it needs {hash}"));
        }
        Ok(Self { text, query })
    }

    fn query(&self, subject: &Subject<'_>, key: &str, time: &str) -> String {
        let path = subject.path();
        let filled = |pieces: &[Piece], hash: &str| {
            let of = |piece: &Piece| match piece {
                Piece::Plain(text) => text.clone(),
                Piece::Key => key.to_owned(),
                Piece::Time => time.to_owned(),
                Piece::App => subject.app.to_owned(),
                Piece::Stream => subject.stream.to_owned(),
                Piece::Path => path.clone(),
                Piece::Hash => hash.to_owned(),
            };
            pieces.iter().map(of).collect::<String>()
        };
        let hash = md5_hex(&filled(&self.text, ""));
        filled(&self.query, &hash)
    }
}

/// Cuts at the braces; none where they stand around anything else than a placeholder.
fn pieces(text: &str) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        pieces.extend(plain(before)?);
        pieces.push(match name {
            "key" => Piece::Key,
            "time" => Piece::Time,
            "app" => Piece::App,
            "stream" => Piece::Stream,
            "path" => Piece::Path,
            "hash" => Piece::Hash,
            _ => return None,
        });
        rest = after;
    }
    pieces.extend(plain(rest)?);
    Some(pieces)
}

/// What stands between placeholders: nothing, or text without a brace.
fn plain(text: &str) -> Option<Option<Piece>> {
    if text.contains('}') {
        return None;
    }
    Some((!text.is_empty()).then(|| Piece::Plain(text.to_owned())))
}
