//! Types out of the tree: a deserializer that knows each value's place and never shows a value.
//!
//! A value from the environment is text whose type only the section knows, and serde's own sentences quote what they found,
//! which may be a secret. Both are why this is no deserializer of a library.

use std::fmt::Display;

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Visitor,
};
use serde::forward_to_deserialize_any;

use super::report::Source;
use super::tree::{Entry, Node, Value, entry_key};

/// What went wrong, and where as soon as that is known.
#[derive(Debug)]
pub(super) struct Fault {
    pub place: Option<(String, Source)>,
    pub reason: String,
}

impl Fault {
    pub fn at(self, key: &str, source: &Source) -> Self {
        let place = self
            .place
            .or_else(|| Some((key.to_owned(), source.clone())));
        Self { place, ..self }
    }
}

impl Node {
    fn kind(&self) -> &'static str {
        match self.value {
            Value::Text(_) | Value::Untyped(_) => "text",
            Value::Integer(_) => "a whole number",
            Value::Float(_) => "a fraction",
            Value::Boolean(_) => "true or false",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
        }
    }

    fn expected(&self, what: &str) -> Fault {
        Fault::custom(format_args!("expected {what}, found {}", self.kind()))
            .at(&self.key, &self.source)
    }

    fn whole_number(&self) -> Result<i64, Fault> {
        match &self.value {
            Value::Integer(number) => Ok(*number),
            Value::Untyped(text) => text
                .trim()
                .parse()
                .map_err(|_| self.expected("a whole number")),
            _ => Err(self.expected("a whole number")),
        }
    }

    fn text(&self) -> Result<&str, Fault> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => Ok(text),
            _ => Err(self.expected("text in quotes")),
        }
    }

    fn here<T>(&self, result: Result<T, Fault>) -> Result<T, Fault> {
        result.map_err(|fault| fault.at(&self.key, &self.source))
    }
}

impl std::error::Error for Fault {}

impl Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.reason)
    }
}

impl de::Error for Fault {
    fn custom<T: Display>(reason: T) -> Self {
        Self {
            place: None,
            reason: reason.to_string(),
        }
    }

    fn invalid_type(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn invalid_value(_: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::custom(format_args!("expected {expected}"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        let quoted: Vec<String> = expected.iter().map(|name| format!("\"{name}\"")).collect();
        Self::custom(format_args!("expected {}", quoted.join(" or ")))
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        Self::custom(format_args!(
            "unknown key, expected one of {}",
            expected.join(", ")
        ))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom(format_args!("the key {field} is missing"))
    }
}

macro_rules! whole_numbers {
    ($($method:ident $visit:ident $type:ty),*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match <$type>::try_from(self.whole_number()?) {
                Ok(number) => self.here(visitor.$visit(number)),
                Err(_) => self.here(Err(Fault::custom(format_args!(
                    "the number must be from {} to {}", <$type>::MIN, <$type>::MAX
                )))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Text(text) | Value::Untyped(text) => self.here(visitor.visit_borrowed_str(text)),
            Value::Integer(number) => self.here(visitor.visit_i64(*number)),
            Value::Float(number) => self.here(visitor.visit_f64(*number)),
            Value::Boolean(truth) => self.here(visitor.visit_bool(*truth)),
            Value::List(_) => self.deserialize_seq(visitor),
            Value::Table(_) => self.deserialize_map(visitor),
        }
    }

    whole_numbers!(
        deserialize_u8 visit_u8 u8, deserialize_u16 visit_u16 u16, deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64, deserialize_i64 visit_i64 i64
    );

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Boolean(truth) => self.here(visitor.visit_bool(*truth)),
            Value::Untyped(text) => match text.trim().parse() {
                Ok(truth) => self.here(visitor.visit_bool(truth)),
                Err(_) => Err(self.expected("true or false")),
            },
            _ => Err(self.expected("true or false")),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.here(visitor.visit_borrowed_str(self.text()?))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.here(visitor.visit_some(self))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.here(visitor.visit_newtype_struct(self))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let variant: StrDeserializer<'_, Fault> = self.text()?.into_deserializer();
        self.here(visitor.visit_enum(variant))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::List(items) => self.here(visitor.visit_seq(Items(items.iter()))),
            Value::Untyped(_) => {
                Err(self.expected("a list, whose items are set one by one, __0 first"))
            }
            _ => Err(self.expected("a list")),
        }
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match &self.value {
            Value::Table(entries) => {
                let fields = Fields {
                    entries: entries.iter(),
                    table: &self.key,
                    next: None,
                };
                self.here(visitor.visit_map(fields))
            }
            _ => Err(self.expected("a table")),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    forward_to_deserialize_any! {
        i8 i16 i32 f32 f64 char bytes byte_buf unit unit_struct tuple tuple_struct identifier ignored_any
    }
}

struct Items<'a>(std::slice::Iter<'a, Node>);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Fault> {
        self.0
            .next()
            .map(|node| node.here(seed.deserialize(node)))
            .transpose()
    }
}

struct Fields<'a> {
    entries: std::slice::Iter<'a, Entry>,
    table: &'a str,
    next: Option<&'a Node>,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.next() else {
            return Ok(None);
        };
        self.next = Some(&entry.node);
        let name: StrDeserializer<'_, Fault> = entry.name.as_str().into_deserializer();
        let key = seed
            .deserialize(name)
            .map_err(|fault| fault.at(&entry_key(self.table, &entry.name), &entry.source));
        key.map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        match self.next.take() {
            Some(node) => node.here(seed.deserialize(node)),
            None => Err(Fault {
                place: None,
                reason: "a value was asked for before its key".to_owned(),
            }),
        }
    }
}
