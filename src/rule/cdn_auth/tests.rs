//! The worked examples of the vendors, and the cases around them.

use super::*;

const NO_RANDOM: &str = "0";

fn domain(formula: Formula, key: &str) -> DomainAuth {
    DomainAuth {
        formula,
        key: key.into(),
        backup_key: None,
        ttl_seconds: 0,
    }
}

fn wangsu(case: HexCase) -> Formula {
    let template = Template::parse(Template::WANGSU_TEXT, Template::WANGSU_QUERY);
    Formula::Template(template.unwrap(), case)
}

fn signed(auth: &DomainAuth, url: &str, unix_seconds: u64, random: &str) -> Option<String> {
    let url = TargetUrl::parse(url).unwrap();
    let moment = Moment {
        unix_seconds,
        random,
    };
    let signed = auth.sign(&url, AuthKey::First, moment)?;
    assert_eq!(signed.app(), url.app());
    assert!(signed.expose().ends_with(signed.name()));
    Some(signed.expose().to_owned())
}

#[test]
fn every_vendor_s_worked_example_comes_out() {
    const HUAWEI: &str = "GCTbw44s6MPLh4GqgDpnfuFHgy25Enly";
    use HexCase::{Lower, Upper};
    let table = [
        (
            Formula::TxSecret(Upper),
            "your_auth_key",
            "rtmp://push.example.com/live/123",
            (1_546_064_025, NO_RANDOM),
            "rtmp://push.example.com/live/123?txSecret=3ff5b0387b2e6e934a26b3768ff4752f&txTime=5C271099",
        ),
        (
            Formula::TxSecret(Lower),
            "your_auth_key",
            "rtmp://push.example.com/live/123",
            (1_546_064_025, NO_RANDOM),
            "rtmp://push.example.com/live/123?txSecret=419678d42b81924205911f6609ab5eef&txTime=5c271099",
        ),
        (
            Formula::AuthKey,
            "aliyunliveexp1234",
            "rtmp://push.example.com/app/stream",
            (1_622_194_197, NO_RANDOM),
            "rtmp://push.example.com/app/stream?auth_key=1622194197-0-0-f622d5c979e740e48eaa8159988ccd89",
        ),
        (
            Formula::AuthKey,
            "aliyunliveexp1234",
            "rtmp://push.example.com/app/stream?vhost=demo",
            (1_622_194_197, NO_RANDOM),
            "rtmp://push.example.com/app/stream?vhost=demo&auth_key=1622194197-0-0-f622d5c979e740e48eaa8159988ccd89",
        ),
        // Huawei A, as Huawei's page has it and as the vectors have it.
        (
            Formula::AuthKey,
            HUAWEI,
            "rtmp://h/livetest/huawei1.flv",
            (1_592_639_100, "477b3bbc253f467b8def6711128c7bec"),
            "rtmp://h/livetest/huawei1.flv?auth_key=1592639100-477b3bbc253f467b8def6711128c7bec-0-dd1b5ffa00cf26acec0c169ae1cfabea",
        ),
        (
            Formula::AuthKey,
            HUAWEI,
            "rtmp://push.example.com/livetest/huawei1",
            (1_592_639_100, "477b3bbc253f467b8def6711128c7bec"),
            "rtmp://push.example.com/livetest/huawei1?auth_key=1592639100-477b3bbc253f467b8def6711128c7bec-0-ccbd773aa734bbfc7ac6ef4479938b67",
        ),
        // Huawei B.
        (
            Formula::TxSecret(Lower),
            HUAWEI,
            "rtmp://h/livetest/huawei1",
            (0x5eed_5888, NO_RANDOM),
            "rtmp://h/livetest/huawei1?txSecret=5cdc845362c332a4ec3e09ac5d5571d6&txTime=5eed5888",
        ),
        (
            Formula::HwSecret(Lower),
            HUAWEI,
            "rtmp://push.example.com/livetest/huawei1",
            (0x5eed_5888, NO_RANDOM),
            "rtmp://push.example.com/livetest/huawei1?hwSecret=ce201856a0957413319e883c8ccae13602f01d3d91e21daf5161964cf708a6a8&hwTime=5eed5888",
        ),
        (
            wangsu(Upper),
            "KEY123",
            "rtmp://push.example.com/live/streamid123",
            (1_546_064_025, NO_RANDOM),
            "rtmp://push.example.com/live/streamid123?wsSecret=aa5879cbafc6269423d4381282fb6b10&wsABStime=5C271099",
        ),
    ];
    for (formula, key, url, (seconds, random), expected) in table {
        let auth = domain(formula, key);
        assert_eq!(signed(&auth, url, seconds, random).unwrap(), expected);
    }
}

#[test]
fn aws_ivs_has_its_key_as_the_name_and_needs_nothing() {
    let url = "rtmps://a1b2c3d4e5f6.global-contribute.live-video.net:443/app/sk_us-west-2_EXAMPLE";
    assert_eq!(signed(&domain(Formula::None, ""), url, 1, "0"), None);
}

#[test]
fn the_time_lies_as_far_ahead_as_is_set() {
    let auth = DomainAuth {
        ttl_seconds: 3600,
        ..domain(Formula::AuthKey, "K")
    };
    let url = signed(&auth, "rtmp://h/app/s", 1_000_000, "ab").unwrap();
    assert!(url.contains("?auth_key=1003600-ab-0-"), "{url}");
    let far = DomainAuth {
        ttl_seconds: u64::MAX,
        ..auth
    };
    assert!(signed(&far, "rtmp://h/app/s", 1_000_000, "ab").is_some());
}

#[test]
fn a_url_that_carries_a_parameter_of_the_scheme_is_left_alone() {
    let tencent = domain(Formula::TxSecret(HexCase::Upper), "K");
    let fixed = domain(Formula::StaticQuery, "token=abc&user=me");
    let own = Template::parse("{key}{stream}{time}", "sign={hash}&t={time}").unwrap();
    let own = domain(Formula::Template(own, HexCase::Lower), "K");
    for (auth, url, is_signed) in [
        (&tencent, "rtmp://h/app/s?txSecret=1&txTime=2", false),
        (&tencent, "rtmp://h/app/s?txTime=2", false),
        (&tencent, "rtmp://h/app/s?a=b&txSecret", false),
        (&tencent, "rtmp://h/app?txSecret=1/s", false),
        (&tencent, "rtmp://h/app/s?mytxSecret=1&x=txSecret", true),
        (&tencent, "rtmp://h/app/s?wsSecret=1", true),
        (&tencent, "rtmp://h/app/txSecret=1", true),
        (&fixed, "rtmp://h/app/s?user=you", false),
        (&fixed, "rtmp://h/app/s?tokens=1", true),
        (&own, "rtmp://h/app/s?t=1", false),
        (&own, "rtmp://h/app/s?time=1", true),
    ] {
        assert_eq!(signed(auth, url, 9, "0").is_some(), is_signed, "{url}");
    }
}

#[test]
fn the_query_goes_behind_the_name_whatever_stands_there() {
    let fixed = domain(Formula::StaticQuery, "t=1");
    for (url, expected) in [
        ("rtmp://h/app/s", "rtmp://h/app/s?t=1"),
        ("rtmp://h/app/s?", "rtmp://h/app/s?t=1"),
        ("rtmp://h/app/s?a=b", "rtmp://h/app/s?a=b&t=1"),
        ("rtmp://h/app/s?a=b&", "rtmp://h/app/s?a=b&t=1"),
        (
            "rtmp://h/app/?streamname=k",
            "rtmp://h/app/?streamname=k&t=1",
        ),
        ("rtmp://h/a/b/s?x=c/d", "rtmp://h/a/b/s?x=c/d&t=1"),
        (
            "rtmp://h/live2?backup=1/KEY",
            "rtmp://h/live2?backup=1/KEY?t=1",
        ),
        ("rtmps://u:p@h:444/app/s", "rtmps://u:p@h:444/app/s?t=1"),
    ] {
        assert_eq!(signed(&fixed, url, 9, "0").unwrap(), expected);
    }
}

#[test]
fn a_token_is_about_app_and_stream_without_their_queries() {
    let own = Template::parse("{app}|{stream}|{path}|{time}|{key}", "h={hash}").unwrap();
    let auth = domain(Formula::Template(own, HexCase::Upper), "K");
    let expected =
        |text: &str| format!("h={}", hex::encode(<md5::Md5 as md5::Digest>::digest(text)));
    for (url, text) in [
        ("rtmp://h/a/b/s?x=1", "a/b|s|/a/b/s|FF|K"),
        ("rtmp://h/live2?backup=1/KEY", "live2|KEY|/live2/KEY|FF|K"),
    ] {
        let url = signed(&auth, url, 255, "0").unwrap();
        assert!(url.ends_with(&expected(text)), "{url}");
    }
}

#[test]
fn the_backup_key_is_used_where_there_is_one() {
    let url = TargetUrl::parse("rtmp://h/app/s").unwrap();
    let moment = Moment {
        unix_seconds: 9,
        random: "0",
    };
    let one = domain(Formula::TxSecret(HexCase::Upper), "one");
    assert_eq!(one.sign(&url, AuthKey::Backup, moment), None);
    let two = DomainAuth {
        backup_key: Some("two".into()),
        ..one.clone()
    };
    let by_backup = two.sign(&url, AuthKey::Backup, moment);
    let by_two = domain(one.formula, "two").sign(&url, AuthKey::First, moment);
    assert_eq!(by_backup, by_two);
    assert_ne!(by_backup, two.sign(&url, AuthKey::First, moment));
}

#[test]
fn templates_are_checked() {
    let ok = ("{time}{path}{key}", "a={hash}");
    for (text, query, part) in [
        ("{time}{path}", ok.1, TemplatePart::Text),
        ("{key}{hash}", ok.1, TemplatePart::Text),
        ("{key}{Key}", ok.1, TemplatePart::Text),
        ("{key", ok.1, TemplatePart::Text),
        ("key}{key}", ok.1, TemplatePart::Text),
        ("{key}}", ok.1, TemplatePart::Text),
        (ok.0, "a={time}", TemplatePart::Query),
        (ok.0, "a={hash}&b={key}", TemplatePart::Query),
        (ok.0, "a={hash}&b={path}", TemplatePart::Query),
        (ok.0, "?a={hash}", TemplatePart::Query),
        (ok.0, "a={hash} b", TemplatePart::Query),
        (ok.0, "a={{hash}}", TemplatePart::Query),
    ] {
        let mistake = Template::parse(text, query).unwrap_err();
        assert_eq!(mistake.part, part, "{text} {query}: {mistake}");
    }
    assert!(Template::parse(ok.0, ok.1).is_ok());
    assert!(Template::parse("{key}", "{hash}").is_ok());
}

#[test]
fn a_domain_is_its_exact_host_in_any_case() {
    let auth = CdnAuth::new([("Push.Example.com".to_owned(), domain(Formula::AuthKey, "K"))]);
    assert!(auth.of("push.example.COM").is_some());
    for host in [
        "example.com",
        "a.push.example.com",
        "push.example.com.",
        "push.example.co",
    ] {
        assert!(auth.of(host).is_none(), "{host}");
    }
}

#[test]
fn neither_key_nor_token_is_printed() {
    let auth = DomainAuth {
        backup_key: Some("canary8key".into()),
        ..domain(Formula::StaticQuery, "token=canary7key")
    };
    let url = TargetUrl::parse("rtmp://h/app/s").unwrap();
    let moment = Moment {
        unix_seconds: 9,
        random: "0",
    };
    let signed = auth.sign(&url, AuthKey::First, moment).unwrap();
    let shown = format!("{auth:?} {signed:?} {signed} {}", signed.masked());
    assert!(!shown.contains("canary"), "{shown}");
    assert_eq!(signed.mask_echo("no canary7key here"), "no *** here");
}
