//! Which component answers a path, by Spin's rules: a route is a list of `/` segments, a segment is
//! text, `:name` (any one segment) or a trailing `...` (the rest, also nothing). Routes are compared
//! segment by segment: text beats `:name` beats `...`; where all are equal the shorter route wins, so
//! `/a` beats `/a/...`. Leading and trailing slashes do not count.
use http::HeaderValue;
use std::cmp::Ordering;
use wasmtime::error::Context as _;
use wasmtime::{Result, bail};

/// The order of the cases is the order of precedence.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Segment {
    Text(String),
    Parameter(String),
    Rest,
}

impl Segment {
    fn parse(segment: &str, last: bool) -> Result<Self> {
        Ok(match (segment, segment.strip_prefix(':')) {
            ("..." | "*", _) if last => Self::Rest,
            ("..." | "*", _) => bail!("`{segment}` may only end a route"),
            (_, Some("")) => bail!("`:` needs a name"),
            (_, Some(name)) => Self::Parameter(name.to_string()),
            _ => Self::Text(segment.to_string()),
        })
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Text(_) => 0,
            Self::Parameter(_) => 1,
            Self::Rest => 2,
        }
    }
}

/// One route of the manifest. The header values are what Spin tells the guest about it.
#[derive(Debug)]
pub struct Route {
    /// The name of the component that answers.
    pub component: String,
    /// The route as written, for `spin-matched-route` and `spin-raw-component-route`.
    pub pattern: HeaderValue,
    /// The route without its trailing `/...`, for `spin-component-route`.
    pub prefix: HeaderValue,
    segments: Vec<Segment>,
}

/// What a path gave when it matched a route.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Captures<'path> {
    /// `:name` segments with their values.
    pub parameters: Vec<(String, &'path str)>,
    /// What the trailing `...` stands for, with its slashes; empty for a route without one.
    pub rest: String,
}

impl Route {
    /// # Errors
    /// When the pattern has a nameless parameter, a `...` before its end, or is no header value.
    pub fn new(pattern: &str, component: &str) -> Result<Self> {
        let parts: Vec<&str> = trim(pattern).split('/').filter(|part| !part.is_empty()).collect();
        let segments = parts
            .iter()
            .enumerate()
            .map(|(index, part)| Segment::parse(part, parts.len().checked_sub(index) == Some(1)))
            .collect::<Result<_>>()?;
        let prefix = pattern.strip_suffix("/...").unwrap_or(pattern);
        Ok(Self {
            component: component.to_string(),
            pattern: HeaderValue::from_str(pattern)?,
            prefix: HeaderValue::from_str(prefix)?,
            segments,
        })
    }

    fn matches<'path>(&self, path: &'path str) -> Option<Captures<'path>> {
        let trimmed = trim(path);
        let mut rest = Some(trimmed).filter(|rest| !rest.is_empty());
        let mut captures = Captures::default();
        for segment in &self.segments {
            if *segment == Segment::Rest {
                let slash = if path.ends_with('/') { "/" } else { "" };
                captures.rest = rest.map_or_else(|| slash.to_string(), |rest| format!("/{rest}{slash}"));
                return Some(captures);
            }
            let (first, others) = match rest?.split_once('/') {
                Some((first, others)) => (first, Some(others)),
                None => (rest?, None),
            };
            match segment {
                Segment::Text(text) if text != first => return None,
                Segment::Parameter(name) => captures.parameters.push((name.clone(), first)),
                _ => {}
            }
            rest = others;
        }
        rest.is_none().then_some(captures)
    }

    fn precedence(&self, other: &Self) -> Ordering {
        let ranks = self.segments.iter().zip(&other.segments).map(|(a, b)| a.rank().cmp(&b.rank()));
        ranks
            .chain([self.segments.len().cmp(&other.segments.len())])
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    }
}

fn trim(path: &str) -> &str {
    path.trim_matches('/')
}

/// All routes of an application, best first.
#[derive(Debug)]
pub struct Router(Vec<Route>);

impl Router {
    /// Builds the router from (pattern, component).
    ///
    /// # Errors
    /// When a pattern is malformed or given twice. (Spin takes the last of two and logs an error.)
    pub fn new<'a>(routes: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut built: Vec<Route> = Vec::new();
        for (pattern, component) in routes {
            let route = Route::new(pattern, component)
                .with_context(|| format!("the route `{pattern}` of the component `{component}`"))?;
            if let Some(twin) = built.iter().find(|other| other.segments == route.segments) {
                bail!("the route `{pattern}` belongs to `{}` and to `{component}`", twin.component);
            }
            built.push(route);
        }
        // A stable sort: of two routes of one rank the one written first wins.
        built.sort_by(Route::precedence);
        Ok(Self(built))
    }

    /// The best route for a path (without query), if there is one.
    pub fn find<'path>(&self, path: &'path str) -> Option<(&Route, Captures<'path>)> {
        self.0.iter().find_map(|route| Some((route, route.matches(path)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router(patterns: &[&str]) -> Router {
        Router::new(patterns.iter().map(|pattern| (*pattern, *pattern))).unwrap()
    }

    fn found(router: &Router, path: &str) -> String {
        router.find(path).map_or_else(|| "none".to_string(), |(route, _)| route.component.clone())
    }

    #[test]
    fn text_beats_parameter_beats_rest_in_any_order() {
        let patterns = ["/...", "/a/...", "/a/:x", "/a/b", "/a/b/...", "/a", "/a/:x/c", "/a/b/:y"];
        let expected = [
            ("/", "/..."),
            ("/z", "/..."),
            ("/a", "/a"),
            ("/a/", "/a"),
            ("/a/b", "/a/b"),
            ("/a/q", "/a/:x"),
            ("/a/b/c", "/a/b/:y"),
            ("/a/q/c", "/a/:x/c"),
            ("/a/q/d", "/a/..."),
            ("/a/b/c/d", "/a/b/..."),
            ("/ab", "/..."),
        ];
        for rotation in 0..patterns.len() {
            let mut rotated = patterns;
            rotated.rotate_left(rotation);
            let router = router(&rotated);
            for (path, pattern) in expected {
                assert_eq!(found(&router, path), pattern, "{path} of {rotated:?}");
            }
        }
    }

    #[test]
    fn a_trailing_wildcard_matches_its_prefix_too() {
        let router = router(&["/v1/contacts/..."]);
        for (path, rest) in [
            ("/v1/contacts", ""),
            ("/v1/contacts/", "/"),
            ("/v1/contacts/x", "/x"),
            ("/v1/contacts/x/y/", "/x/y/"),
        ] {
            assert_eq!(router.find(path).unwrap().1.rest, rest, "{path}");
        }
        assert_eq!(found(&router, "/v1/contactsx"), "none");
        assert_eq!(found(&router, "/v1"), "none");
    }

    #[test]
    fn parameters_are_captured() {
        let router = router(&["/users/:id/posts/:post"]);
        let (_, captures) = router.find("/users/7/posts/8").unwrap();
        assert_eq!(captures.parameters, [("id".to_string(), "7"), ("post".to_string(), "8")]);
        assert_eq!(found(&router, "/users/7/posts"), "none");
    }

    #[test]
    fn mistakes_are_refused() {
        for bad in ["/a/.../b", "/:"] {
            assert!(Router::new([(bad, "x")]).is_err(), "{bad}");
        }
        let twice = Router::new([("/a", "one"), ("/a/", "two")]).unwrap_err().to_string();
        assert!(twice.contains("`one`") && twice.contains("`two`"), "{twice}");
    }
}
