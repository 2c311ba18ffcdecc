//! Live objects as kubectl's arguments name them: `deploy`, `deploy,svc`, `deploy web`, `deploy/web svc/web`.

use anyhow::bail;

use crate::input;

/// A kind, as typed, and which of its objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) kind: String,
    /// `None` for all of them.
    pub(super) name: Option<String>,
}

/// What the arguments name. As kubectl reads them: where one has a slash, all are KIND/NAME; else the first is a list of
/// kinds, and the others are names.
///
/// # Errors
/// Both forms at once, an empty kind or name, the name of a file.
pub(super) fn parse(arguments: &[String]) -> anyhow::Result<Vec<Named>> {
    if let Some(file) = arguments.iter().find(|argument| input::looks_like_a_file(argument)) {
        bail!("`{file}` is no KIND or KIND/NAME; did you mean -f {file}?");
    }
    if arguments.iter().any(|argument| argument.contains('/')) {
        return arguments.iter().map(|argument| slashed(argument)).collect();
    }
    let Some((kinds, names)) = arguments.split_first() else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for kind in kinds.split(',') {
        if kind.is_empty() || names.iter().any(String::is_empty) {
            bail!("`{}`: write KIND, KIND NAME or KIND/NAME", arguments.join(" "));
        }
        let named = |name: Option<&String>| Named { kind: kind.to_owned(), name: name.cloned() };
        match names {
            [] => all.push(named(None)),
            names => all.extend(names.iter().map(|name| named(Some(name)))),
        }
    }
    Ok(all)
}

fn slashed(argument: &str) -> anyhow::Result<Named> {
    match argument.split_once('/') {
        Some((kind, name)) if !kind.is_empty() && !name.is_empty() && !kind.contains(',') => {
            Ok(Named { kind: kind.to_owned(), name: Some(name.to_owned()) })
        }
        Some(_) => bail!("`{argument}`: write KIND/NAME, one kind and one name"),
        None => bail!("`{argument}`: where one argument is KIND/NAME, all are"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Vec<String>, String> {
        let arguments: Vec<_> = line.split_whitespace().map(str::to_owned).collect();
        let shown = |named: Named| format!("{}={}", named.kind, named.name.unwrap_or_else(|| "*".to_owned()));
        parse(&arguments).map(|all| all.into_iter().map(shown).collect()).map_err(|error| error.to_string())
    }

    #[test]
    fn arguments_are_read_as_kubectl_reads_them() {
        for (line, expected) in [
            ("deploy", &["deploy=*"][..]),
            ("deploy,svc", &["deploy=*", "svc=*"]),
            ("deploy web", &["deploy=web"]),
            ("deploy web api", &["deploy=web", "deploy=api"]),
            ("deploy,svc web", &["deploy=web", "svc=web"]),
            ("deploy/web", &["deploy=web"]),
            ("deploy/web svc/api", &["deploy=web", "svc=api"]),
            ("deployments.v1.apps/web", &["deployments.v1.apps=web"]),
            ("", &[]),
        ] {
            assert_eq!(parsed(line).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_no_kind_is_said() {
        for (line, fragment) in [
            ("deploy/web svc", "`svc`: where one argument is KIND/NAME, all are"),
            ("deploy/", "write KIND/NAME"),
            ("/web", "did you mean -f /web?"),
            ("deploy,svc/web", "one kind and one name"),
            ("deploy,,svc", "write KIND"),
            ("app.yaml", "did you mean -f app.yaml?"),
            ("deploy ./web.json", "did you mean -f ./web.json?"),
        ] {
            let error = parsed(line).unwrap_err();
            assert!(error.contains(fragment), "{line}: {error}");
        }
    }
}
