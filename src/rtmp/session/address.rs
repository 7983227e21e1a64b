//! Which stream does a publisher mean?
//!
//! The app, the tcUrl and the name say it together, and every encoder splits them in its own way: a key may stand in a
//! query on the app or on the name, and a stream may stand in the server box with nothing but a query in the key box.

/// An app or the path of a tcUrl: what is left when the query and the decoration are off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) path: String,
    pub(super) query: String,
}

/// Splits the query off and removes slashes at both ends and the default instance, which nginx-rtmp and FMS see as the
/// same app.
pub(super) fn normalised(app: &str) -> Path {
    let (path, query) = app.split_once('?').unwrap_or((app, ""));
    let mut path = path.trim_matches('/');
    while let Some(shorter) = path.strip_suffix("/_definst_") {
        path = shorter.trim_end_matches('/');
    }
    Path {
        path: path.to_owned(),
        query: query.to_owned(),
    }
}

/// A tcUrl without the quotes that some encoders put around it.
pub(super) fn unquoted(tc_url: &str) -> &str {
    tc_url.trim_matches(|c| c == '\'' || c == '"')
}

/// What stands behind `scheme://host/` in a tcUrl.
pub(super) fn of_tc_url(tc_url: &str) -> Path {
    let rest = tc_url.split_once("://").map_or(tc_url, |(_, rest)| rest);
    let start = rest.find(['/', '?']).unwrap_or(rest.len());
    normalised(rest.get(start..).unwrap_or_default())
}

/// The app and the name of a publish.
///
/// A name that is empty or begins with `?` names no stream, so that the last segment of the tcUrl (or of the app) does,
/// and the query stays behind it. `None` where there is no such segment either.
pub(super) fn stream(app: &str, tc_url: &str, name: &str) -> Option<(String, String)> {
    if !name.is_empty() && !name.starts_with('?') {
        return Some((app.to_owned(), name.to_owned()));
    }
    let address = of_tc_url(tc_url).path;
    let (app, stream) = address.rsplit_once('/').or_else(|| app.rsplit_once('/'))?;
    let app = app.trim_end_matches('/');
    (!app.is_empty() && !stream.is_empty()).then(|| (app.to_owned(), format!("{stream}{name}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_lose_their_decoration_and_keep_their_query() {
        let table = [
            ("live", "live", ""),
            ("live/", "live", ""),
            ("/live//", "live", ""),
            ("live/_definst_", "live", ""),
            ("live/_definst_/", "live", ""),
            ("live/_definst_/_definst_", "live", ""),
            ("live/inst", "live/inst", ""),
            ("live?key=a/b", "live", "key=a/b"),
            ("live/?key=a?b", "live", "key=a?b"),
            ("live/_definst_?k=1", "live", "k=1"),
            ("_definst_", "_definst_", ""),
            ("", "", ""),
            ("?", "", ""),
            ("/", "", ""),
        ];
        for (app, path, query) in table {
            assert_eq!(
                normalised(app),
                Path {
                    path: path.into(),
                    query: query.into()
                },
                "{app}"
            );
        }
    }

    #[test]
    fn tc_urls_give_their_path() {
        let table = [
            ("rtmp://host/live", "live", ""),
            ("rtmp://host:1935/live/cam?key=x", "live/cam", "key=x"),
            ("rtmp://[::1]:1935/live/", "live", ""),
            ("rtmp://host", "", ""),
            ("rtmp://host?x=/y", "", "x=/y"),
            ("live", "", ""),
            ("/live", "live", ""),
            ("", "", ""),
        ];
        for (tc_url, path, query) in table {
            assert_eq!(
                of_tc_url(tc_url),
                Path {
                    path: path.into(),
                    query: query.into()
                },
                "{tc_url}"
            );
        }
        assert_eq!(unquoted("'rtmp://host/live'"), "rtmp://host/live");
    }

    #[test]
    fn a_name_without_a_stream_takes_it_from_the_address() {
        let table = [
            ("live", "rtmp://h/live", "cam", Some(("live", "cam"))),
            (
                "live",
                "rtmp://h/live",
                "cam?key=x",
                Some(("live", "cam?key=x")),
            ),
            ("live", "rtmp://h/live", "a/b", Some(("live", "a/b"))),
            ("live/cam", "rtmp://h/live/cam", "", Some(("live", "cam"))),
            (
                "live/cam",
                "rtmp://h/live/cam",
                "?key=x&a=b",
                Some(("live", "cam?key=x&a=b")),
            ),
            ("live", "rtmp://h/live/cam?key=x", "", Some(("live", "cam"))),
            ("live/cam", "", "", Some(("live", "cam"))),
            ("a/b/cam", "rtmp://h/a/b/cam/", "", Some(("a/b", "cam"))),
            ("a", "rtmp://h/a//cam/", "", Some(("a", "cam"))),
            ("live", "rtmp://h/live", "", None),
            ("live", "rtmp://h/live", "?key=x", None),
            ("", "", "", None),
        ];
        for (app, tc_url, name, expected) in table {
            let expected = expected.map(|(app, name)| (app.to_owned(), name.to_owned()));
            assert_eq!(stream(app, tc_url, name), expected, "{app} {tc_url} {name}");
        }
    }
}
