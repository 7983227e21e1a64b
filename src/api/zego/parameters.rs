//! A request's parameters: the query's, then those of a JSON body.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::answer::{Code, Refusal};

/// Names and values. The query wins over the body, the first of a name over a later one.
#[derive(Debug, Default)]
pub(super) struct Parameters(HashMap<String, String>);

impl Parameters {
    /// Reads both; an empty body is none.
    pub(super) fn read(query: &str, body: &[u8]) -> Result<Self, Refusal> {
        let mut parameters = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            parameters.add(name.into_owned(), value.into_owned());
        }
        if body.iter().any(|byte| !byte.is_ascii_whitespace()) {
            let object: Map<String, Value> = serde_json::from_slice(body).map_err(|_| {
                Refusal::new(
                    Code::BodyUnreadable,
                    "the request body is not a JSON object",
                )
            })?;
            for (name, value) in object {
                if let Some(value) = text(value) {
                    parameters.add(name, value);
                }
            }
        }
        Ok(parameters)
    }

    /// A parameter's value, which may be empty.
    pub(super) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A parameter's value; an empty one is as good as none.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.find(name).filter(|value| !value.is_empty())
    }

    fn add(&mut self, name: String, value: String) {
        self.0.entry(name).or_insert(value);
    }
}

/// Numbers and truth values may stand in a body as such. Lists and objects are no parameter of these actions.
fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_query_wins_and_the_first_of_a_name() {
        let body = br#" {"A": "body", "B": 1761955200001, "C": true, "D": null, "E": [1]} "#;
        let parameters = Parameters::read("A=1&A=2&F=a+b%26c&G=", body).unwrap();
        for (name, value) in [
            ("A", Some("1")),
            ("B", Some("1761955200001")),
            ("C", Some("true")),
            ("D", None),
            ("E", None),
            ("F", Some("a b&c")),
            ("G", Some("")),
            ("a", None),
        ] {
            assert_eq!(parameters.find(name), value, "{name}");
        }
        assert_eq!(parameters.filled("G"), None);
    }

    #[test]
    fn a_body_is_a_json_object_or_nothing() {
        assert!(Parameters::read("", b"\n").is_ok());
        for body in ["[]", "1", "a=b", "{", "{}{}"] {
            let refusal = Parameters::read("", body.as_bytes()).unwrap_err();
            assert_eq!(refusal.code, Code::BodyUnreadable, "{body}");
        }
    }
}
