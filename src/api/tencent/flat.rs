//! Flat names: how a query or a form says an object. Members are joined with `.`, the elements of a list have numbers from 0.

use serde_json::{Map, Value};

use super::envelope::{Code, Refusal};
use super::limits::MAX_NAME_PARTS;
use super::signature::v1::Pairs;

/// Parameters that every call has in this form, and no action's own.
const COMMON: [&str; 11] = [
    "Action",
    "Language",
    "Nonce",
    "Region",
    "RequestClient",
    "SecretId",
    "Signature",
    "SignatureMethod",
    "Timestamp",
    "Token",
    "Version",
];

/// Reads a query or a form.
pub(super) fn pairs(text: &[u8]) -> Pairs {
    form_urlencoded::parse(text).into_owned().collect()
}

/// The object that the names say. Every value in it is text.
pub(super) fn object(pairs: &Pairs) -> Result<Value, Refusal> {
    let mut root = Node::default();
    for (name, value) in pairs {
        if COMMON.contains(&name.as_str()) {
            continue;
        }
        let parts: Vec<&str> = name.split('.').collect();
        let fits = parts.len() <= MAX_NAME_PARTS && parts.iter().all(|part| !part.is_empty());
        if !fits || !root.put(&parts, value) {
            return Err(invalid(
                "a parameter's name is malformed, or is there twice",
            ));
        }
    }
    match root {
        // No parameter at all.
        Node::Empty => Ok(Value::Object(Map::new())),
        root => root.into_value(true),
    }
}

/// What is known of a name's part so far.
#[derive(Default)]
enum Node {
    #[default]
    Empty,
    Text(String),
    /// In the order in which they came.
    Members(Vec<(String, Node)>),
}

impl Node {
    /// Puts a value under a name; `false` where something else is there.
    fn put(&mut self, parts: &[&str], value: &str) -> bool {
        let Some((first, rest)) = parts.split_first() else {
            let is_free = matches!(self, Self::Empty);
            if is_free {
                *self = Self::Text(value.to_owned());
            }
            return is_free;
        };
        if matches!(self, Self::Empty) {
            *self = Self::Members(Vec::new());
        }
        let Self::Members(members) = self else {
            return false;
        };
        // What belongs together mostly comes together.
        let at = members.iter().rposition(|(name, _)| name == first);
        let at = at.unwrap_or_else(|| {
            members.push(((*first).to_owned(), Self::Empty));
            members.len() - 1
        });
        members
            .get_mut(at)
            .is_some_and(|(_, node)| node.put(rest, value))
    }

    fn into_value(self, is_root: bool) -> Result<Value, Refusal> {
        match self {
            Self::Empty => Ok(Value::Null),
            Self::Text(text) => Ok(Value::String(text)),
            Self::Members(members) => {
                let is_list = !is_root && members.iter().all(|(name, _)| is_number(name));
                if is_list {
                    return list(members);
                }
                let object: Result<Map<_, _>, _> = members
                    .into_iter()
                    .map(|(name, node)| Ok((name, node.into_value(false)?)))
                    .collect();
                object.map(Value::Object)
            }
        }
    }
}

fn list(members: Vec<(String, Node)>) -> Result<Value, Refusal> {
    let gap = || invalid("the elements of a list are not numbered 0, 1, 2 and so on");
    let mut elements = Vec::with_capacity(members.len());
    for (name, node) in members {
        let number: usize = name.parse().map_err(|_| gap())?;
        elements.push((number, node.into_value(false)?));
    }
    elements.sort_by_key(|(number, _)| *number);
    let is_whole = elements
        .iter()
        .enumerate()
        .all(|(at, (number, _))| at == *number);
    match is_whole {
        true => Ok(elements.into_iter().map(|(_, value)| value).collect()),
        false => Err(gap()),
    }
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(Code::InvalidParameter, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_say_an_object() {
        for (query, value) in [
            ("", json!({})),
            ("Action=A&Version=1", json!({})),
            (
                "A=1&B.C=+x%26&B.D=&L.1=b&L.0=a",
                json!({"A": "1", "B": {"C": " x&", "D": ""}, "L": ["a", "b"]}),
            ),
            (
                "O.0.U=a&O.1.U=b&O.1.N.0=c",
                json!({"O": [{"U": "a"}, {"U": "b", "N": ["c"]}]}),
            ),
            ("0=a", json!({"0": "a"})),
        ] {
            assert_eq!(object(&pairs(query.as_bytes())).unwrap(), value, "{query}");
        }
        let many: Vec<String> = (0..12).rev().map(|i| format!("L.{i}={i}")).collect();
        let value = object(&pairs(many.join("&").as_bytes())).unwrap();
        assert_eq!(value["L"][10], "10");
    }

    #[test]
    fn names_that_say_none() {
        for query in [
            "A=1&A=2",
            "A=1&A.B=2",
            "A.B=1&A=2",
            "A..B=1",
            ".A=1",
            "=1",
            "L.0=a&L.2=b",
            "L.1=a",
            "L.99999999999999999999=a",
            "A.B.C.D.E.F.G.H.I=1",
        ] {
            let refusal = object(&pairs(query.as_bytes())).unwrap_err();
            assert_eq!(refusal.code, Code::InvalidParameter, "{query}");
        }
    }
}
