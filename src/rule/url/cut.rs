//! Where a URL is cut: scheme, user info, host, port, and a path of app and name.

use std::net::Ipv6Addr;

use percent_encoding::percent_decode_str;

use super::{APP_BYTES_MAX, NAME_BYTES_MAX, Scheme, URL_BYTES_MAX, UrlError};
use crate::secret::Secret;

/// The longest host name, in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// A URL whose path is not cut yet.
pub(super) struct Place<'a> {
    pub(super) scheme: Scheme,
    pub(super) credentials: Option<Credentials>,
    pub(super) host: &'a str,
    pub(super) port: Option<u16>,
    /// From the slash on.
    pub(super) path: &'a str,
}

/// User info, decoded.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret,
}

/// Cuts an RTMP URL up to its path.
pub(super) fn place(text: &str) -> Result<Place<'_>, UrlError> {
    let (scheme, rest) = bounded(text)?.split_once("://").ok_or(UrlError::Scheme)?;
    let scheme = Scheme::of(scheme).ok_or(UrlError::Scheme)?;
    let (authority, path) = cut_authority(rest);
    let (credentials, address) = match authority.rsplit_once('@') {
        Some((info, address)) => (Some(user_info(info)?), address),
        None => (None, authority),
    };
    let (host, port) = host_and_port(address)?;
    Ok(Place {
        scheme,
        credentials,
        host,
        port,
        path,
    })
}

/// An `http` or `https` URL, cut.
pub(in crate::rule) struct HttpPlace<'a> {
    pub(in crate::rule) is_tls: bool,
    pub(in crate::rule) has_user: bool,
    pub(in crate::rule) host: &'a str,
    pub(in crate::rule) port: Option<u16>,
    /// From the slash on, or from the `?` or `#` where there is none.
    pub(in crate::rule) target: &'a str,
}

/// Cuts an `http` or `https` URL by the rules that hold for targets.
pub(in crate::rule) fn http_place(text: &str) -> Result<HttpPlace<'_>, UrlError> {
    let (scheme, rest) = bounded(text)?.split_once("://").ok_or(UrlError::Scheme)?;
    let is_tls = scheme.eq_ignore_ascii_case("https");
    if !is_tls && !scheme.eq_ignore_ascii_case("http") {
        return Err(UrlError::Scheme);
    }
    let (authority, target) = cut_authority(rest);
    let address = authority.rsplit_once('@');
    let (host, port) = host_and_port(address.map_or(authority, |(_, address)| address))?;
    Ok(HttpPlace {
        is_tls,
        has_user: address.is_some(),
        host,
        port,
        target,
    })
}

/// Within the bound, and of nothing that is a slip in copying.
fn bounded(text: &str) -> Result<&str, UrlError> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlError::TooLong(text.len()));
    }
    match text.find(|c: char| c.is_control() || c.is_whitespace()) {
        Some(at) => Err(UrlError::Blank(at)),
        None => Ok(text),
    }
}

fn cut_authority(rest: &str) -> (&str, &str) {
    match rest.find(['/', '?', '#']) {
        Some(end) => rest.split_at(end),
        None => (rest, ""),
    }
}

fn user_info(info: &str) -> Result<Credentials, UrlError> {
    let (user, password) = info.split_once(':').unwrap_or((info, ""));
    if user.is_empty() {
        return Err(UrlError::User);
    }
    // Where the escapes are no UTF-8, the text is what was meant.
    let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => decoded.into_owned(),
        Err(_) => text.to_owned(),
    };
    Ok(Credentials {
        user: decoded(user),
        password: decoded(password).into(),
    })
}

fn host_and_port(address: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match address.strip_prefix('[') {
        Some(literal) => {
            let (host, after) = literal.split_once(']').ok_or(UrlError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| UrlError::Host)?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err(UrlError::Host),
            }
        }
        None => {
            let (host, port) = match address.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (address, None),
            };
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
            if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(plain) {
                return Err(UrlError::Host);
            }
            (host, port)
        }
    };
    Ok((host, port.map(port_number).transpose()?))
}

fn port_number(text: &str) -> Result<u16, UrlError> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        Ok(port) if is_number && port > 0 => Ok(port),
        _ => Err(UrlError::Port),
    }
}

/// Cuts a path at the place that the module above tells.
pub(super) fn app_and_name(path: &str) -> Result<(&str, &str), UrlError> {
    let path = path.strip_prefix('/').ok_or(UrlError::MissingApp)?;
    let before_query = path.split('?').next().unwrap_or_default();
    let (app, name) = match before_query.rfind('/').or_else(|| path.rfind('/')) {
        Some(cut) => path.split_at(cut),
        None if path.is_empty() => return Err(UrlError::MissingApp),
        None => return Err(UrlError::MissingName),
    };
    Ok((app, name.strip_prefix('/').unwrap_or(name)))
}

/// Whether both are there and within their bounds.
pub(super) fn check(app: &str, name: &str) -> Result<(), UrlError> {
    let path = app.split('?').next().unwrap_or_default();
    if path.trim_matches('/').is_empty() {
        return Err(UrlError::MissingApp);
    }
    if name.is_empty() {
        return Err(UrlError::MissingName);
    }
    if app.len() > APP_BYTES_MAX {
        return Err(UrlError::AppTooLong(app.len()));
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(UrlError::NameTooLong(name.len()));
    }
    Ok(())
}
