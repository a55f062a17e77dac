//! `spin.toml`, manifest version 2: the parts of it that this runtime understands. Unknown keys
//! (build commands, descriptions, other tools' sections) are ignored, as Spin ignores them.
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

/// The only manifest version there is besides the long gone version 1.
const MANIFEST_VERSION: i64 = 2;

/// One application.
#[derive(Debug, Deserialize)]
pub struct Manifest {
    spin_manifest_version: i64,
    /// Application variables by name.
    #[serde(default)]
    pub variables: BTreeMap<String, VariableDeclaration>,
    #[serde(default)]
    trigger: Triggers,
    /// Components by name.
    #[serde(default, rename = "component")]
    pub components: BTreeMap<String, Component>,
    /// Which component answers which requests.
    #[serde(skip)]
    pub http: Vec<HttpRoute>,
    /// Which component runs when.
    #[serde(skip)]
    pub cron: Vec<CronSchedule>,
}

/// `[variables]`: where the value of an application variable comes from.
#[derive(Debug, Default, Deserialize)]
pub struct VariableDeclaration {
    /// The value when the environment has none.
    pub default: Option<String>,
    /// Whether the environment must have a value.
    #[serde(default)]
    pub required: bool,
}

/// `[component.NAME]`: a wasm file and what it may use.
#[derive(Clone, Debug, Deserialize)]
pub struct Component {
    source: Source,
    /// Addresses the component may send requests to; may hold `{{ variable }}`.
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    /// Labels of the databases it may open.
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    /// Labels of the key-value stores it may open.
    #[serde(default)]
    pub key_value_stores: Vec<String>,
    /// The component's own variables; values are templates over the application's.
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    /// Environment variables that the component sees.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Source {
    Path(PathBuf),
    Elsewhere(serde::de::IgnoredAny),
}

#[derive(Debug, Default, Deserialize)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
    #[serde(default)]
    cron: Vec<CronTrigger>,
}

#[derive(Debug, Deserialize)]
struct HttpTrigger {
    route: Route,
    component: ComponentReference,
}

#[derive(Debug, Deserialize)]
struct CronTrigger {
    component: ComponentReference,
    cron_expression: String,
}

/// A component's name, or its whole definition in place.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum ComponentReference {
    Name(String),
    Inline(Box<Component>),
}

/// A path pattern, or `{ private = true }`.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Route {
    Pattern(String),
    Private { private: bool },
}

/// A checked HTTP trigger.
#[derive(Debug)]
pub struct HttpRoute {
    /// The path pattern; `None` for a component that only others of the application reach.
    pub pattern: Option<String>,
    /// The name of the component that answers.
    pub component: String,
}

/// A checked cron trigger.
#[derive(Debug)]
pub struct CronSchedule {
    /// Six or seven fields, seconds first.
    pub expression: String,
    /// The name of the component that runs.
    pub component: String,
}

impl Manifest {
    /// Reads and checks a manifest.
    ///
    /// # Errors
    /// When the file cannot be read, is not a version 2 manifest, or names a component it lacks.
    pub fn load(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the manifest {}", path.display()))
    }

    /// [`Manifest::load`] for a text.
    pub fn parse(text: &str) -> Result<Self> {
        let mut manifest: Self = toml::from_str(text)?;
        if manifest.spin_manifest_version != MANIFEST_VERSION {
            bail!(
                "spin_manifest_version is {}, only {MANIFEST_VERSION} is supported",
                manifest.spin_manifest_version
            );
        }
        let triggers = std::mem::take(&mut manifest.trigger);
        for trigger in triggers.http {
            let pattern = match trigger.route {
                Route::Pattern(pattern) => Some(pattern),
                Route::Private { private: true } => None,
                Route::Private { private: false } => {
                    bail!("a route is a path pattern or {{ private = true }}")
                }
            };
            let component = manifest.name_of(trigger.component)?;
            manifest.http.push(HttpRoute { pattern, component });
        }
        for trigger in triggers.cron {
            let component = manifest.name_of(trigger.component)?;
            manifest.cron.push(CronSchedule { expression: trigger.cron_expression, component });
        }
        if manifest.http.is_empty() && manifest.cron.is_empty() {
            bail!("there is no [[trigger.http]] and no [[trigger.cron]]: nothing to run");
        }
        Ok(manifest)
    }

    /// The components that triggers name, each once.
    pub fn triggered(&self) -> impl Iterator<Item = (&str, &Component)> {
        self.components.iter().map(|(name, component)| (name.as_str(), component)).filter(|(name, _)| {
            self.http.iter().any(|route| route.component == *name)
                || self.cron.iter().any(|schedule| schedule.component == *name)
        })
    }

    /// The name of a trigger's component. One defined in place gets a name of its own.
    fn name_of(&mut self, reference: ComponentReference) -> Result<String> {
        match reference {
            ComponentReference::Name(name) if self.components.contains_key(&name) => Ok(name),
            ComponentReference::Name(name) => {
                bail!("a trigger names the component `{name}`, but there is no [component.{name}]")
            }
            ComponentReference::Inline(component) => {
                let name = (1..)
                    .map(|n| format!("inline-{n}"))
                    .find(|name| !self.components.contains_key(name))
                    .context("too many components")?;
                self.components.insert(name.clone(), *component);
                Ok(name)
            }
        }
    }
}

impl Component {
    /// Where the wasm file is: the manifest's own path below `base`, or the file of that name in
    /// `replacement` (how tests run another build profile than the manifest names).
    ///
    /// # Errors
    /// When the source is not a local file.
    pub fn wasm_file(&self, base: &Path, replacement: Option<&Path>) -> Result<PathBuf> {
        let Source::Path(source) = &self.source else {
            bail!("`source` must be the path of a wasm file: downloads and registries are not supported");
        };
        Ok(match replacement {
            Some(folder) => {
                folder.join(source.file_name().with_context(|| format!("{source:?} names no file"))?)
            }
            None => base.join(source),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "x"
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [[trigger.http]]
        route = { private = true }
        component = "a"
        [[trigger.http]]
        route = "/b"
        component = { source = "b.wasm" }
        [[trigger.cron]]
        component = "a"
        cron_expression = "* * * * * *"
        [component.a]
        source = "out/a.wasm"
        description = "ignored"
        [component.a.build]
        command = "ignored"
    "#;

    #[test]
    fn triggers_are_resolved_to_component_names() {
        let manifest = Manifest::parse(SMALL).unwrap();
        let routes: Vec<_> =
            manifest.http.iter().map(|route| (route.pattern.as_deref(), route.component.as_str())).collect();
        assert_eq!(routes, [(Some("/a/..."), "a"), (None, "a"), (Some("/b"), "inline-1")]);
        assert_eq!(manifest.cron[0].component, "a");
        let a = &manifest.components["a"];
        assert_eq!(a.wasm_file(Path::new("/app"), None).unwrap(), Path::new("/app/out/a.wasm"));
        assert_eq!(
            a.wasm_file(Path::new("/app"), Some(Path::new("/quick"))).unwrap(),
            Path::new("/quick/a.wasm")
        );
    }

    #[test]
    fn triggers_may_be_written_as_one_array() {
        let text = r#"
            spin_manifest_version = 2
            trigger.http = [{ route = "/", component = "a" }]
            component.a.source = "a.wasm"
        "#;
        assert_eq!(Manifest::parse(text).unwrap().http.len(), 1);
    }

    #[test]
    fn mistakes_are_named() {
        let error = |text: &str| format!("{:#}", Manifest::parse(text).unwrap_err());
        assert!(error("spin_manifest_version = 1").contains("only 2 is supported"));
        assert!(error("spin_manifest_version = 2").contains("nothing to run"));
        let unknown = SMALL.replace("component = \"a\"", "component = \"zz\"");
        assert!(error(&unknown).contains("no [component.zz]"));
        let remote = Manifest::parse(&SMALL.replace("\"out/a.wasm\"", "{ url = \"https://x\" }")).unwrap();
        assert!(remote.components["a"].wasm_file(Path::new("."), None).is_err());
    }
}
