//! A target's URL: where it is cut, what fills it in, and what is shown of it.

#![allow(clippy::unwrap_used, clippy::panic)]

mod cuts;
mod masks;
mod templates;

use aqueduct::rule::{StreamKey, TargetUrl, UrlTemplate};
use proptest::prelude::*;

fn parse(url: &str) -> TargetUrl {
    TargetUrl::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_pieces_make_up_the_whole(
        host in "[a-z][a-z0-9.-]{0,12}", port in proptest::option::of(1..=65535_u16), path in "[a-z0-9/?#&=%.:@{}~+-]{0,30}",
    ) {
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let url = format!("rtmp://{host}{port}/{path}");
        if let Ok(cut) = TargetUrl::parse(&url) {
            prop_assert_eq!(format!("{}/{}", cut.tc_url(), cut.name()), &*url);
            prop_assert_eq!(cut.expose(), url);
            prop_assert!(!cut.app().is_empty() && !cut.name().is_empty());
        }
    }

    #[test]
    fn nothing_makes_it_panic(text in "\\PC{0,60}", name in "\\PC{1,20}") {
        let _ = TargetUrl::parse(&text);
        for url in [text.clone(), format!("rtmp://{text}"), format!("rtmps://h/{text}"), format!("rtmp://h/a/{text}")] {
            let filled = UrlTemplate::parse(&url).ok().zip(StreamKey::parse("live", &name).ok());
            let Some((Ok(target), template)) = filled.map(|(template, key)| (template.fill(&key), template)) else {
                continue;
            };
            prop_assert_eq!(target.tc_url(), template.target().tc_url());
            prop_assert!(target.expose().ends_with(target.name()));
            let _ = target.mask_echo(&text);
        }
    }
}
