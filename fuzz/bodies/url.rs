//! Whatever text it is: no panic, a cut that is stable when it is written and read again, and no key in what is shown.

use aqueduct::rule::{
    APP_BYTES_MAX, NAME_BYTES_MAX, StreamKey, StreamName, StreamPattern, TargetUrl, TemplateError,
    UrlError, UrlTemplate,
};

/// Stands in a name, and must stand in nothing that is shown.
const CANARY: &str = "canary7key";

/// Lines: a URL or a part of one, an app, a stream's name, a pattern.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(4, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (url, app, name, pattern) = (line(), line(), line(), line());
    let key = StreamKey::parse(app, name).ok();
    for url in [
        url.to_owned(),
        format!("rtmp://{url}"),
        format!("rtmps://h:8443/{url}"),
        format!("rtmp://h/app/{url}"),
    ] {
        check_cut(&url);
        check_template(&url, key.as_ref());
    }
    check_masks(url, name);
    check_pattern(pattern, name);
}

/// What says where a push goes.
type Parts<'a> = (&'a str, &'a str, &'a str, Option<u16>, &'a str);

fn parts(url: &TargetUrl) -> Parts<'_> {
    (
        url.scheme().as_str(),
        url.host(),
        url.app(),
        url.port(),
        url.name(),
    )
}

fn check_cut(text: &str) {
    let Ok(url) = TargetUrl::parse(text) else {
        return;
    };
    assert_eq!(url.expose(), text);
    assert!((1..=APP_BYTES_MAX).contains(&url.app().len()));
    assert!((1..=NAME_BYTES_MAX).contains(&url.name().len()));
    assert!(!url.app().trim_matches('/').is_empty() && url.port() != Some(0));
    assert!(
        text.ends_with(&format!("/{}/{}", url.app(), url.name())),
        "byte for byte"
    );
    assert!(url.credentials().is_none_or(|(user, _)| !user.is_empty()));
    let tc_url = url.tc_url();
    let again = TargetUrl::parse(&format!("{tc_url}/{}", url.name())).expect("its own parts");
    assert_eq!(parts(&again), parts(&url));
    assert_eq!(again.tc_url(), tc_url);
    if url.app().contains('?') || !url.app().ends_with('/') {
        let at = TargetUrl::at(&tc_url, url.name()).expect("its own parts");
        assert_eq!(parts(&at), parts(&url));
    }
}

fn check_template(text: &str, key: Option<&StreamKey>) {
    let url = TargetUrl::parse(text);
    let literal = UrlTemplate::literal(text);
    assert_eq!(url.as_ref().err(), literal.as_ref().err());
    let template = UrlTemplate::parse(text);
    let Ok(url) = url else {
        let misplaced = template == Err(TemplateError::Misplaced) && has_placeholder(text);
        return assert!(misplaced || template.err() == url.err().map(TemplateError::Url));
    };
    let before_name = &text[..text.len() - url.name().len()];
    assert_eq!(template.is_err(), has_placeholder(before_name));
    let (Ok(template), Some(key)) = (template, key) else {
        return;
    };
    assert_eq!(template.has_placeholder(), has_placeholder(url.name()));
    let literal = literal.expect("a URL").fill(key);
    assert_eq!(literal.as_ref().map(TargetUrl::expose), Ok(text));
    let filled = match template.fill(key) {
        Ok(filled) => filled,
        Err(TemplateError::NameNotPlain) => return assert!(!key.name.is_plain()),
        Err(error) => {
            return assert!(matches!(
                error,
                TemplateError::Url(UrlError::NameTooLong(_))
            ));
        }
    };
    assert_eq!(
        filled.tc_url(),
        url.tc_url(),
        "a stream reaches its name only"
    );
    assert_eq!(filled.credentials().is_some(), url.credentials().is_some());
    if !template.has_placeholder() {
        return assert_eq!(filled, url);
    }
    if !key.name.as_str().contains('{') {
        let name = url.name().replace("{stream}", key.name.as_str());
        // An app has no braces.
        assert_eq!(filled.name(), name.replace("{app}", key.app.as_str()));
    }
    if let (false, Ok(again)) = (
        key.app.as_str().contains('/'),
        TargetUrl::parse(filled.expose()),
    ) {
        assert_eq!(parts(&again), parts(&filled), "a name moves no cut");
    }
}

fn has_placeholder(text: &str) -> bool {
    text.contains("{app}") || text.contains("{stream}")
}

fn check_masks(before: &str, after: &str) {
    // A fuzzer finds the word in our code, and writes it where it may be shown.
    if before.contains(CANARY) || after.contains(CANARY) {
        return;
    }
    for text in [
        format!("rtmp://h/app/{before}{CANARY}{after}"),
        format!("rtmp://h/app/?{before}{CANARY}{after}"),
        format!("rtmp://h/app?{before}/{CANARY}{after}"),
        format!("rtmp://{before}/app/{CANARY}{after}"),
        format!("{before}/{CANARY}"),
        format!("rtmps://user:{CANARY}{before}@h/app/{after}"),
    ] {
        let parsed = TargetUrl::parse(&text);
        let printed = match &parsed {
            Ok(url) => format!("{url} {url:?} {}", url.masked()),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!printed.contains(CANARY), "{printed}");
        let template = UrlTemplate::parse(&text);
        assert!(!format!("{template:?}").contains(CANARY));
        if let Ok(url) = parsed {
            let _ = url.mask_echo(after);
            let echoes = [url.name(), url.expose()].into_iter();
            for echo in echoes.filter(|echo| echo.contains(CANARY)) {
                let shown = url.mask_echo(echo);
                assert!(!shown.contains(CANARY), "{shown}");
            }
        }
    }
}

fn check_pattern(pattern: &str, name: &str) {
    let (Ok(pattern), Ok(name)) = (StreamPattern::parse(pattern), StreamName::parse(name)) else {
        return;
    };
    let due = matches(pattern.as_str().as_bytes(), name.as_str().as_bytes());
    assert_eq!(pattern.matches(&name), due, "{pattern} {name}");
    assert!(
        StreamPattern::every().matches(&name)
            && StreamPattern::literal(name.clone()).matches(&name)
    );
}

/// The plain way: which beginnings of the name the pattern so far can be.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut fits = vec![false; name.len() + 1];
    fits[0] = true;
    for &wanted in pattern {
        let before = fits.clone();
        for end in 0..=name.len() {
            fits[end] = match wanted {
                b'*' => before[end] || (end > 0 && fits[end - 1]),
                byte => end > 0 && before[end - 1] && name[end - 1] == byte,
            };
        }
    }
    fits[name.len()]
}
