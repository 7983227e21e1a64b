//! The vendor's model of each action's input: which members there are, of which type, and which have to be there.

use serde_json::{Map, Number, Value};

use super::envelope::{Code, Refusal};

/// The type of a member.
#[derive(Debug)]
pub(super) enum Kind {
    Text,
    /// Any whole number.
    Integer,
    /// One that is not negative.
    Natural,
    List(&'static Kind),
    Object(&'static [Member]),
    /// Known, and of no use to this gateway.
    Ignored,
}

/// A member of an object.
#[derive(Debug)]
pub(super) struct Member {
    name: &'static str,
    kind: Kind,
    is_required: bool,
}

/// How values are written: in JSON with their types, in flat names all as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Json,
    Flat,
}

const fn needed(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        is_required: true,
    }
}

const fn member(name: &'static str, kind: Kind) -> Member {
    Member {
        name,
        kind,
        is_required: false,
    }
}

const ENTITY: &[Member] = &[needed("Type", Kind::Text), needed("Id", Kind::Text)];

const INPUT: &[Member] = &[
    needed("InputType", Kind::Text),
    member(
        "VodPullInputInfo",
        Kind::Object(&[
            needed("InputUrls", Kind::List(&Kind::Text)),
            member("LoopTimes", Kind::Integer),
        ]),
    ),
    member(
        "LivePullInputInfo",
        Kind::Object(&[needed("InputUrl", Kind::Text)]),
    ),
    member(
        "RtmpPushInputInfo",
        Kind::Object(&[
            needed("ExpiredSecond", Kind::Natural),
            member("PushUrl", Kind::Text),
        ]),
    ),
];

const OUTPUT: &[Member] = &[
    member("Id", Kind::Text),
    member("Name", Kind::Text),
    member("Type", Kind::Text),
    member("PushUrl", Kind::Text),
];

pub(super) const CREATE_PROJECT: &[Member] = &[
    needed("Platform", Kind::Text),
    needed("Name", Kind::Text),
    needed("Owner", Kind::Object(ENTITY)),
    needed("Category", Kind::Text),
    member("Mode", Kind::Text),
    member("AspectRatio", Kind::Text),
    member("Description", Kind::Text),
    member("SwitcherProjectInput", Kind::Ignored),
    member("LiveStreamClipProjectInput", Kind::Ignored),
    member("VideoEditProjectInput", Kind::Ignored),
    member("VideoSegmentationProjectInput", Kind::Ignored),
    member(
        "StreamConnectProjectInput",
        Kind::Object(&[
            member("MainInput", Kind::Object(INPUT)),
            member("BackupInput", Kind::Object(INPUT)),
            member("Outputs", Kind::List(&Kind::Object(OUTPUT))),
        ]),
    ),
    member("RecordReplayProjectInput", Kind::Ignored),
    member("MediaCastProjectInput", Kind::Ignored),
    // Not in the vendor's list for this action, which says elsewhere that all of them take it.
    member("Operator", Kind::Text),
];

pub(super) const HANDLE_STREAM_CONNECT_PROJECT: &[Member] = &[
    needed("Platform", Kind::Text),
    needed("ProjectId", Kind::Text),
    needed("Operation", Kind::Text),
    member("InputInfo", Kind::Object(INPUT)),
    member("InputEndpoint", Kind::Text),
    // The vendor's tables of parameters spell it so, its schema and samples as above.
    member("InputEndPoint", Kind::Text),
    member("OutputInfo", Kind::Object(OUTPUT)),
    member("CurrentStopTime", Kind::Text),
    member("Operator", Kind::Text),
];

pub(super) const DESCRIBE_PROJECTS: &[Member] = &[
    needed("Platform", Kind::Text),
    member("ProjectIds", Kind::List(&Kind::Text)),
    member("AspectRatioSet", Kind::List(&Kind::Text)),
    member("CategorySet", Kind::List(&Kind::Text)),
    member("Modes", Kind::List(&Kind::Text)),
    member(
        "Sort",
        Kind::Object(&[needed("Field", Kind::Text), member("Order", Kind::Text)]),
    ),
    member("Owner", Kind::Object(ENTITY)),
    member("Offset", Kind::Natural),
    member("Limit", Kind::Natural),
    member("Operator", Kind::Text),
];

pub(super) const MODIFY_PROJECT: &[Member] = &[
    needed("Platform", Kind::Text),
    needed("ProjectId", Kind::Text),
    member("Name", Kind::Text),
    member("AspectRatio", Kind::Text),
    member("Owner", Kind::Object(ENTITY)),
    member("Mode", Kind::Text),
    member("Operator", Kind::Text),
];

pub(super) const DELETE_PROJECT: &[Member] = &[
    needed("Platform", Kind::Text),
    needed("ProjectId", Kind::Text),
    member("Operator", Kind::Text),
];

pub(super) const PARSE_EVENT: &[Member] = &[
    needed("Platform", Kind::Text),
    needed("EventContent", Kind::Text),
];

/// Takes what is `null` away, makes numbers of text where numbers are meant, and holds the rest against the model: types first, then
/// names that are unknown, then names that are missing.
pub(super) fn check(
    value: &mut Value,
    members: &'static [Member],
    written: Written,
) -> Result<(), Refusal> {
    let Value::Object(object) = value else {
        return Err(mismatch("", "an object"));
    };
    types(object, members, written, "")?;
    names(object, members, "")?;
    required(object, members, "")
}

fn types(
    object: &mut Map<String, Value>,
    members: &'static [Member],
    written: Written,
    place: &str,
) -> Result<(), Refusal> {
    object.retain(|_, value| !value.is_null());
    for Member { name, kind, .. } in members {
        if let Some(value) = object.get_mut(*name) {
            typed(value, kind, written, &format!("{place}{name}"))?;
        }
    }
    Ok(())
}

fn typed(
    value: &mut Value,
    kind: &'static Kind,
    written: Written,
    place: &str,
) -> Result<(), Refusal> {
    match (kind, &mut *value) {
        (Kind::Ignored, _) | (Kind::Text, Value::String(_)) => Ok(()),
        (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(()),
        (Kind::Natural, Value::Number(number)) if number.is_u64() => Ok(()),
        (Kind::Integer | Kind::Natural, Value::String(text)) if written == Written::Flat => {
            let number = match kind {
                Kind::Natural => text.parse::<u64>().ok().map(Number::from),
                _ => text.parse::<i64>().ok().map(Number::from),
            };
            *value = Value::Number(number.ok_or_else(|| mismatch(place, "a whole number"))?);
            Ok(())
        }
        (Kind::List(of), Value::Array(elements)) => {
            for (at, element) in elements.iter_mut().enumerate() {
                typed(element, of, written, &format!("{place}.{at}"))?;
            }
            Ok(())
        }
        (Kind::Object(members), Value::Object(object)) => {
            types(object, members, written, &format!("{place}."))
        }
        (Kind::Text, _) => Err(mismatch(place, "text")),
        (Kind::Integer, _) => Err(mismatch(place, "a whole number")),
        (Kind::Natural, _) => Err(mismatch(place, "a whole number that is not negative")),
        (Kind::List(_), _) => Err(mismatch(place, "a list")),
        (Kind::Object(_), _) => Err(mismatch(place, "an object")),
    }
}

fn names(
    object: &Map<String, Value>,
    members: &'static [Member],
    place: &str,
) -> Result<(), Refusal> {
    for (name, value) in object {
        match members.iter().find(|member| member.name == name) {
            Some(member) => each_object(value, &member.kind, place, name, &names)?,
            None => {
                let known: Vec<&str> = members.iter().map(|member| member.name).collect();
                let where_to = match place {
                    "" => String::new(),
                    place => format!(" in {}", place.trim_end_matches('.')),
                };
                let why = format!(
                    "there is an unknown parameter{where_to}; the known ones are {}",
                    known.join(", ")
                );
                return Err(Refusal::new(Code::UnknownParameter, why));
            }
        }
    }
    Ok(())
}

fn required(
    object: &Map<String, Value>,
    members: &'static [Member],
    place: &str,
) -> Result<(), Refusal> {
    for member in members {
        match object.get(member.name) {
            Some(value) => each_object(value, &member.kind, place, member.name, &required)?,
            None if member.is_required => {
                let why = format!("{place}{} is missing", member.name);
                return Err(Refusal::new(Code::MissingParameter, why));
            }
            None => {}
        }
    }
    Ok(())
}

/// A look at an object, its model, and its place.
type Look<'a> = &'a dyn Fn(&Map<String, Value>, &'static [Member], &str) -> Result<(), Refusal>;

/// Looks at a member that is an object, or at each of a list of them.
fn each_object(
    value: &Value,
    kind: &'static Kind,
    place: &str,
    name: &str,
    look: Look<'_>,
) -> Result<(), Refusal> {
    match (kind, value) {
        (Kind::Object(members), Value::Object(object)) => {
            look(object, members, &format!("{place}{name}."))
        }
        (Kind::List(Kind::Object(members)), Value::Array(elements)) => {
            for (at, element) in elements.iter().enumerate() {
                if let Value::Object(object) = element {
                    look(object, members, &format!("{place}{name}.{at}."))?;
                }
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn mismatch(place: &str, expected: &str) -> Refusal {
    let why = match place {
        "" => format!("the parameters are not {expected}"),
        place => format!("{place} is not {expected}"),
    };
    Refusal::new(Code::InvalidParameter, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn mistakes_in_their_order() {
        let whole = json!({
            "Platform": "test", "Name": "n", "Category": "STREAM_CONNECT", "Mode": null,
            "Owner": {"Type": "PERSON", "Id": "u"},
            "SwitcherProjectInput": {"Whatever": [1]},
            "StreamConnectProjectInput": {
                "MainInput": {"InputType": "RtmpPush", "RtmpPushInputInfo": {"ExpiredSecond": 3600}},
                "Outputs": [{"PushUrl": "rtmp://h/a/b"}],
            },
        });
        let mut value = whole.clone();
        check(&mut value, CREATE_PROJECT, Written::Json).unwrap();
        assert!(value.get("Mode").is_none());
        for (pointer, put, code, says) in [
            (
                "/Platform",
                json!(1),
                Code::InvalidParameter,
                "Platform is not text",
            ),
            (
                "/StreamConnectProjectInput/MainInput/RtmpPushInputInfo/ExpiredSecond",
                json!("3600"),
                Code::InvalidParameter,
                "RtmpPushInputInfo.ExpiredSecond is not",
            ),
            (
                "/StreamConnectProjectInput/MainInput/RtmpPushInputInfo/ExpiredSecond",
                json!(-1),
                Code::InvalidParameter,
                "not negative",
            ),
            (
                "/StreamConnectProjectInput/Outputs",
                json!({}),
                Code::InvalidParameter,
                "Outputs is not a list",
            ),
            (
                "/StreamConnectProjectInput/Outputs/0",
                json!({"Url": "canary7"}),
                Code::UnknownParameter,
                "unknown parameter in StreamConnectProjectInput.Outputs.0;",
            ),
            (
                "/Owner",
                json!({"Type": "PERSON"}),
                Code::MissingParameter,
                "Owner.Id is missing",
            ),
            (
                "/Owner/Id",
                json!(null),
                Code::MissingParameter,
                "Owner.Id is missing",
            ),
            (
                "/StreamConnectProjectInput/MainInput",
                json!({"LivePullInputInfo": {}}),
                Code::MissingParameter,
                "MainInput.InputType is missing",
            ),
            // A wrong type comes before an unknown name, that before a missing one.
            (
                "/Owner",
                json!({"Type": 1, "More": 1}),
                Code::InvalidParameter,
                "Owner.Type is not text",
            ),
            (
                "/Owner",
                json!({"More": 1}),
                Code::UnknownParameter,
                "in Owner;",
            ),
        ] {
            let mut value = whole.clone();
            *value.pointer_mut(pointer).unwrap() = put;
            let refusal = check(&mut value, CREATE_PROJECT, Written::Json).unwrap_err();
            assert_eq!(refusal.code, code, "{pointer}: {refusal:?}");
            assert!(refusal.why.contains(says), "{pointer}: {refusal:?}");
            assert!(!refusal.why.contains("canary7"));
        }
        let mut list = json!([]);
        assert!(check(&mut list, CREATE_PROJECT, Written::Json).is_err());
    }

    #[test]
    fn text_is_a_number_where_everything_is_text() {
        let mut value = json!({"Platform": "1", "Limit": "20", "Offset": "0"});
        check(&mut value, DESCRIBE_PROJECTS, Written::Flat).unwrap();
        assert_eq!(value, json!({"Platform": "1", "Limit": 20, "Offset": 0}));
        for text in ["abc", "-1", "", "1.5", "18446744073709551616"] {
            let mut value = json!({"Platform": "1", "Limit": text});
            let refusal = check(&mut value, DESCRIBE_PROJECTS, Written::Flat).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidParameter, "{text}");
        }
    }
}
