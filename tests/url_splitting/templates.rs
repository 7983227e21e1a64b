//! Placeholders, and what is filled in for them.

use aqueduct::rule::{NAME_BYTES_MAX, StreamKey, TemplateError, UrlError, UrlTemplate};

#[test]
fn a_template_is_cut_first_and_filled_afterwards() {
    let key = StreamKey::parse("live", "cam{app}").unwrap();
    for (template, filled) in [
        ("rtmp://h/app/{stream}", "rtmp://h/app/cam{app}"),
        (
            "rtmp://h/app/{app}-{stream}-{stream}",
            "rtmp://h/app/live-cam{app}-cam{app}",
        ),
        ("rtmp://h/app/k?s={stream}/x", "rtmp://h/app/k?s=cam{app}/x"),
        ("rtmp://h/app?b=1/{stream}", "rtmp://h/app?b=1/cam{app}"),
        ("rtmp://h/app/{Stream}{x}{", "rtmp://h/app/{Stream}{x}{"),
        ("rtmp://h/app/{{stream}}", "rtmp://h/app/{cam{app}}"),
        ("rtmp://u:p@h:1/app/{stream}", "rtmp://u:p@h:1/app/cam{app}"),
        ("rtmp://h/app{x}/key", "rtmp://h/app{x}/key"),
    ] {
        let template = UrlTemplate::parse(template).unwrap();
        let target = template.fill(&key).unwrap();
        assert_eq!(target.expose(), filled);
        assert_eq!(target.tc_url(), template.target().tc_url());
        assert_eq!(target.credentials().is_some(), filled.contains('@'));
    }
}

#[test]
fn a_filled_name_is_not_cut_again() {
    let template = UrlTemplate::parse("rtmp://h/app/{app}").unwrap();
    let target = template
        .fill(&StreamKey::parse("live/studio", "cam").unwrap())
        .unwrap();
    assert_eq!((target.app(), target.name()), ("app", "live/studio"));
}

#[test]
fn placeholders_before_the_name_are_refused() {
    for url in [
        "rtmp://{stream}/app/key",
        "rtmp://{app}.example/app/key",
        "rtmp://h:{app}/app/key",
        "rtmp://u:{stream}@h/app/key",
        "rtmp://h/{app}/key",
        "rtmp://h/app/{stream}/key",
        "rtmp://h/app?x={stream}/key",
        "{stream}://h/app/key",
        "rtmp://h/{stream}",
    ] {
        let error = UrlTemplate::parse(url).unwrap_err();
        let expected = if url == "rtmp://h/{stream}" {
            TemplateError::Url(UrlError::MissingName)
        } else {
            TemplateError::Misplaced
        };
        assert_eq!(error, expected, "{url}");
    }
}

#[test]
fn names_that_could_bend_a_url_are_not_filled_in() {
    let template = UrlTemplate::parse("rtmp://h/app/{stream}").unwrap();
    for name in ["a/b", "a?b", "a#b", "a\nb", "../x"] {
        let key = StreamKey::parse("live", name).unwrap();
        assert_eq!(
            template.fill(&key),
            Err(TemplateError::NameNotPlain),
            "{name:?}"
        );
        let fixed = UrlTemplate::parse("rtmp://h/app/key").unwrap();
        assert_eq!(fixed.fill(&key).unwrap().expose(), "rtmp://h/app/key");
        let literal = UrlTemplate::literal("rtmp://h/app/{stream}").unwrap();
        assert_eq!(literal.fill(&key).unwrap().name(), "{stream}");
    }
    let template = UrlTemplate::parse(&format!(
        "rtmp://h/app/{}{{stream}}",
        "k".repeat(NAME_BYTES_MAX - 10)
    ))
    .unwrap();
    let long = StreamKey::parse("live", &"n".repeat(11)).unwrap();
    assert_eq!(
        template.fill(&long),
        Err(TemplateError::Url(UrlError::NameTooLong(
            NAME_BYTES_MAX + 1
        )))
    );
}
