//! JSON with its members in order. Providers write theirs in an order of their own, and a callback's bytes are
//! what is signed: what the sandbox writes is to be the contract's fixtures byte by byte.

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::ser::{SerializeMap, SerializeSeq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A JSON value that keeps the order of members. A member that is [`Node::Absent`] is not written.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Node {
    #[default]
    Absent,
    Null,
    Bool(bool),
    Number(serde_json::Number),
    Text(String),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

/// `node!({"a": 1, "b": option})`: an object whose members are anything that [`Node`] can be made from.
macro_rules! node {
    ({ $($name:literal : $value:expr),* $(,)? }) => {
        $crate::json::Node::Object(vec![$(($name.to_string(), $crate::json::Node::from($value))),*])
    };
    ([ $($value:expr),* $(,)? ]) => {
        $crate::json::Node::Array(vec![$($crate::json::Node::from($value)),*])
    };
}
pub(crate) use node;

impl Node {
    /// Adds a member to an object, at its end; an absent one is not added.
    pub fn push(&mut self, name: &str, value: impl Into<Node>) {
        if let Node::Object(members) = self {
            members.push((name.to_string(), value.into()));
        }
    }

    /// A member of an object.
    pub fn get(&self, name: &str) -> Option<&Node> {
        let Node::Object(members) = self else { return None };
        members.iter().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    pub fn as_str(&self) -> Option<&str> {
        if let Node::Text(text) = self { Some(text) } else { None }
    }

    pub fn is_absent(&self) -> bool {
        *self == Node::Absent
    }

    /// Compact JSON as it is.
    pub fn plain(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// JSON as Meta writes it (channels section 1.4): compact, everything outside ASCII as `\uXXXX` with lower-case
    /// digits, `/` as `\/`. A receiver that parses before it checks the signature fails here as it would there.
    pub fn meta(&self) -> String {
        let compact = self.plain();
        let mut out = String::with_capacity(compact.len());
        for c in compact.chars() {
            match c {
                // Outside texts JSON has neither slashes nor other than ASCII.
                '/' => out.push_str("\\/"),
                c if c.is_ascii() => out.push(c),
                c => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        out.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        out
    }
}

impl From<&str> for Node {
    fn from(text: &str) -> Self {
        Node::Text(text.to_string())
    }
}

impl From<String> for Node {
    fn from(text: String) -> Self {
        Node::Text(text)
    }
}

impl From<&String> for Node {
    fn from(text: &String) -> Self {
        Node::Text(text.clone())
    }
}

impl From<bool> for Node {
    fn from(value: bool) -> Self {
        Node::Bool(value)
    }
}

impl From<i64> for Node {
    fn from(value: i64) -> Self {
        Node::Number(value.into())
    }
}

impl From<u32> for Node {
    fn from(value: u32) -> Self {
        Node::Number(value.into())
    }
}

impl From<f64> for Node {
    fn from(value: f64) -> Self {
        serde_json::Number::from_f64(value).map_or(Node::Null, Node::Number)
    }
}

impl From<Vec<Node>> for Node {
    fn from(values: Vec<Node>) -> Self {
        Node::Array(values)
    }
}

impl From<&Node> for Node {
    fn from(node: &Node) -> Self {
        node.clone()
    }
}

impl<T: Into<Node>> From<Option<T>> for Node {
    fn from(value: Option<T>) -> Self {
        value.map_or(Node::Absent, Into::into)
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Absent | Node::Null => serializer.serialize_unit(),
            Node::Bool(value) => serializer.serialize_bool(*value),
            Node::Number(value) => value.serialize(serializer),
            Node::Text(text) => serializer.serialize_str(text),
            Node::Array(values) => {
                let mut list = serializer.serialize_seq(None)?;
                for value in values {
                    list.serialize_element(value)?;
                }
                list.end()
            }
            Node::Object(members) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in members.iter().filter(|(_, value)| !value.is_absent()) {
                    map.serialize_entry(name, value)?;
                }
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Node;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Node, E> {
        Ok(Node::Text(value))
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = list.next_element()? {
            values.push(value);
        }
        Ok(Node::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Node::Object(members))
    }
}

impl utoipa::PartialSchema for Node {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
            .description(Some("JSON in the provider's own form."))
            .into()
    }
}

impl utoipa::ToSchema for Node {
    fn name() -> std::borrow::Cow<'static, str> {
        "SandboxJson".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_order_and_leaves_out_what_is_absent() {
        let text = r#"{"z":1,"a":[null,true,1.5,"x"],"m":{"b":-2}}"#;
        assert_eq!(serde_json::from_str::<Node>(text).unwrap().plain(), text);
        let made = node!({"z": "1", "none": None::<&str>, "a": node!([1_i64, node!({})])});
        assert_eq!(made.plain(), r#"{"z":"1","a":[1,{}]}"#);
    }

    #[test]
    fn json_is_written_as_meta_writes_it() {
        // The contract's vector, channels section 1.4.
        let vector = node!({"t": "café 😀 a/b"});
        assert_eq!(vector.meta(), r#"{"t":"caf\u00e9 \ud83d\ude00 a\/b"}"#);
        let odd = node!({"a": "\" \\ \n \u{7f} \u{1f} \u{2028}"});
        assert!(odd.meta().is_ascii());
        assert_eq!(serde_json::from_str::<Node>(&odd.meta()).unwrap(), odd);
    }
}
