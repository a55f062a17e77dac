//! SQL with its values, put together from pieces.

use common::db::Value;

/// A piece of SQL and the values of its `?`.
#[derive(Clone, Debug, Default)]
pub(super) struct Sql {
    pub text: String,
    pub values: Vec<Value>,
}

impl Sql {
    pub fn new(text: impl Into<String>, values: &[Value]) -> Self {
        Sql { text: text.into(), values: values.to_vec() }
    }

    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub fn append(&mut self, other: &Sql) {
        self.text.push_str(&other.text);
        self.values.extend_from_slice(&other.values);
    }

    pub fn and(&mut self, condition: &str, values: &[Value]) {
        self.text.push_str(" AND ");
        self.append(&Sql::new(condition, values));
    }

    /// The pieces with a text between them.
    pub fn join(pieces: &[Sql], between: &str) -> Self {
        let mut all = Sql::default();
        for (at, piece) in pieces.iter().enumerate() {
            if at > 0 {
                all.push(between);
            }
            all.append(piece);
        }
        all
    }
}
