//! Variables: the application's values and the `{{ name }}` templates over them, and the interface
//! that guests read them through. The rules are Spin's: a value comes from `SPIN_VARIABLE_<NAME>`,
//! else from the manifest's default, and a required variable without a value stops the start.
use crate::app::Host;
use crate::manifest::VariableDeclaration;
use std::collections::{BTreeMap, HashMap};
use wasmtime::component::{Accessor, ComponentType, Lift, Linker, Lower};
use wasmtime::{Result, bail};

/// What the environment variable of a Spin variable starts with.
const ENVIRONMENT_PREFIX: &str = "SPIN_VARIABLE_";

/// The application's variables, each with its value.
pub struct Variables(HashMap<String, String>);

impl Variables {
    /// Finds a value for every declared variable. `environment` looks one environment variable up.
    ///
    /// # Errors
    /// Names every variable that is declared wrongly or has no value.
    pub fn resolve(
        declared: &BTreeMap<String, VariableDeclaration>,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self> {
        let mut values = HashMap::new();
        let mut missing = Vec::new();
        for (name, declaration) in declared {
            if !is_name(name) {
                bail!("`{name}` is not a variable name: use lower case letters, digits and single `_`");
            }
            if declaration.default.is_none() && !declaration.required {
                bail!("the variable `{name}` needs `default` or `required = true`");
            }
            match environment(&environment_name(name)).or_else(|| declaration.default.clone()) {
                Some(value) => drop(values.insert(name.clone(), value)),
                None => missing.push(environment_name(name)),
            }
        }
        if !missing.is_empty() {
            bail!("required variables have no value, set in the environment: {}", missing.join(", "));
        }
        Ok(Self(values))
    }

    /// Replaces each `{{ name }}` of a template by the variable's value.
    ///
    /// # Errors
    /// When a brace is not closed or a variable is not declared. The text of the error holds the
    /// template, never a value: values may be secrets.
    pub fn expand(&self, template: &str) -> Result<String> {
        let mut expanded = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            let Some((name, after)) = after.split_once("}}") else {
                bail!("`{template}` has {{{{ without }}}}");
            };
            let Some(value) = self.0.get(name.trim()) else {
                bail!("`{template}` uses the variable `{}`, which [variables] lacks", name.trim());
            };
            expanded.push_str(before);
            expanded.push_str(value);
            rest = after;
        }
        expanded.push_str(rest);
        Ok(expanded)
    }
}

fn environment_name(name: &str) -> String {
    format!("{ENVIRONMENT_PREFIX}{}", name.to_ascii_uppercase())
}

/// Spin's rule for names: starts with a letter; lower case letters, digits, and `_` that neither
/// doubles nor ends the name.
fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        && !name.contains("__")
        && !name.ends_with('_')
}

/// `spin:variables` `error`. Cases in the order of the WIT file.
#[derive(ComponentType, Lift, Lower, Clone, Debug)]
#[component(variant)]
enum Error {
    #[component(name = "invalid-name")]
    InvalidName(String),
    #[component(name = "undefined")]
    Undefined(String),
    #[component(name = "provider")]
    Provider(String),
    #[component(name = "other")]
    Other(String),
}

/// A variable of the calling component: only what its own section of the manifest lists.
fn get(host: &Host, name: String) -> Result<String, Error> {
    if !is_name(&name) {
        return Err(Error::InvalidName(name));
    }
    let component = &host.component;
    component
        .variables
        .get(&name)
        .cloned()
        .ok_or_else(|| Error::Undefined(format!("no variable for {:?}.{name:?}", component.name)))
}

/// Adds `spin:variables@3.0.0` (WASI 0.3 guests) and `fermyon:spin/variables@2.0.0` (WASI 0.2).
pub fn add_to_linker(linker: &mut Linker<Host>) -> Result<()> {
    linker.instance("spin:variables/variables@3.0.0")?.func_wrap_concurrent(
        "get",
        |host: &Accessor<Host>, (name,): (String,)| {
            Box::pin(async move { Ok((host.with(|mut access| get(access.get(), name)),)) })
        },
    )?;
    linker
        .instance("fermyon:spin/variables@2.0.0")?
        .func_wrap("get", |store, (name,): (String,)| Ok((get(store.data(), name),)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(entries: &[(&str, Option<&str>, bool)]) -> BTreeMap<String, VariableDeclaration> {
        let declaration = |default: Option<&str>, required| VariableDeclaration {
            default: default.map(String::from),
            required,
        };
        entries
            .iter()
            .map(|(name, default, required)| (name.to_string(), declaration(*default, *required)))
            .collect()
    }

    #[test]
    fn the_environment_beats_the_default() {
        let environment = |name: &str| (name == "SPIN_VARIABLE_A_B").then(|| "env".to_string());
        let declared = declared(&[("a_b", Some("default"), false), ("c", Some("default"), false)]);
        let variables = Variables::resolve(&declared, environment).unwrap();
        assert_eq!(variables.expand("{{ a_b }}-{{c}}").unwrap(), "env-default");
    }

    #[test]
    fn every_missing_variable_is_named() {
        let declared = declared(&[("one", None, true), ("two", None, true), ("three", Some(""), true)]);
        let error = Variables::resolve(&declared, |_| None).err().unwrap().to_string();
        assert!(error.contains("SPIN_VARIABLE_ONE, SPIN_VARIABLE_TWO"), "{error}");
        assert!(!error.contains("THREE"));
    }

    #[test]
    fn bad_declarations_are_refused() {
        for name in ["A", "1a", "a__b", "a_", "a-b", ""] {
            assert!(Variables::resolve(&declared(&[(name, Some(""), false)]), |_| None).is_err(), "{name}");
        }
        assert!(Variables::resolve(&declared(&[("a", None, false)]), |_| None).is_err());
    }

    #[test]
    fn templates_name_what_is_wrong() {
        let variables = Variables::resolve(&declared(&[("a", Some("v"), false)]), |_| None).unwrap();
        assert!(variables.expand("{{ b }}").unwrap_err().to_string().contains("`b`"));
        assert!(variables.expand("{{ a").unwrap_err().to_string().contains("without"));
        assert_eq!(variables.expand("plain { text }").unwrap(), "plain { text }");
    }
}
