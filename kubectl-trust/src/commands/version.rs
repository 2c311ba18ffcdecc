//! `kubectl trust version`.

use std::env::consts;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cli::{Format, VersionArgs};
use crate::exit::ExitStatus;
use crate::output::Printer;

/// Hex digits of a commit that text shows.
const SHOWN: usize = 12;

/// What the build knows of itself.
struct Build<'a> {
    version: &'a str,
    /// The commit, in hex, where the build script could tell.
    commit: Option<&'a str>,
    /// Seconds since 1970 of `SOURCE_DATE_EPOCH`, where it was set.
    epoch: Option<&'a str>,
    /// Operating system and architecture, as `linux/amd64`.
    platform: String,
}

const THIS: Build<'static> = Build {
    version: env!("CARGO_PKG_VERSION"),
    commit: option_env!("KUBECTL_TRUST_BUILD_COMMIT"),
    epoch: option_env!("KUBECTL_TRUST_BUILD_EPOCH"),
    platform: String::new(),
};

/// When this program was built, where the build was told (`SOURCE_DATE_EPOCH`).
pub(super) fn built() -> Option<Timestamp> {
    THIS.built()
}

/// Prints the version, the commit and the platform.
pub(crate) fn run(args: &VersionArgs, printer: &mut Printer) -> ExitStatus {
    let VersionArgs { client: _, output } = args;
    let build = Build { platform: platform(consts::OS, consts::ARCH), ..THIS };
    match output {
        Format::Text => printer.line(build.line()),
        Format::Json => printer.json(&build.value()),
        Format::Yaml => printer.yaml(&build.value()),
    }
    ExitStatus::Trusted
}

impl Build<'_> {
    fn line(&self) -> String {
        let Self { version, commit, platform, .. } = self;
        let commit = commit.map(|commit| match commit.get(..SHOWN) {
            Some(start) if start.len() < commit.len() => format!("commit {start}…, "),
            Some(_) | None => format!("commit {commit}, "),
        });
        format!("kubectl-trust {version} ({}{platform})", commit.unwrap_or_default())
    }

    fn built(&self) -> Option<Timestamp> {
        let seconds = self.epoch?.parse().ok()?;
        Timestamp::from_second(seconds).ok()
    }

    /// With the names of `kubectl version -o json`.
    fn value(&self) -> Value {
        let mut of = json!({"version": self.version, "platform": self.platform});
        if let Some(commit) = self.commit {
            of["gitCommit"] = json!(commit);
        }
        if let Some(built) = self.built() {
            of["buildDate"] = json!(built.to_string());
        }
        json!({"clientVersion": of})
    }
}

/// The platform by the names that Go, Kubernetes and images use (`go tool dist list`).
fn platform(os: &str, architecture: &str) -> String {
    let os = if os == "macos" { "darwin" } else { os };
    let architecture = match architecture {
        "x86_64" => "amd64",
        "x86" => "386",
        "aarch64" => "arm64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    };
    format!("{os}/{architecture}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_build_knows_is_said_and_nothing_else() {
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let build =
            |commit, epoch| Build { version: "1.2.3", commit, epoch, platform: "linux/amd64".to_owned() };
        let all = build(Some(commit), Some("1700000000"));
        assert_eq!(all.line(), "kubectl-trust 1.2.3 (commit 0123456789ab…, linux/amd64)");
        let expected = json!({"clientVersion": {
            "version": "1.2.3", "gitCommit": commit, "buildDate": "2023-11-14T22:13:20Z", "platform": "linux/amd64",
        }});
        assert_eq!(all.value(), expected);
        let nothing = build(None, None);
        assert_eq!(nothing.line(), "kubectl-trust 1.2.3 (linux/amd64)");
        assert_eq!(
            nothing.value(),
            json!({"clientVersion": {"version": "1.2.3", "platform": "linux/amd64"}})
        );
        assert_eq!(build(Some("0123456"), None).line(), "kubectl-trust 1.2.3 (commit 0123456, linux/amd64)");
    }

    #[test]
    fn platforms_have_the_names_of_images() {
        for (os, architecture, expected) in [
            ("linux", "x86_64", "linux/amd64"),
            ("macos", "aarch64", "darwin/arm64"),
            ("windows", "x86_64", "windows/amd64"),
            ("linux", "s390x", "linux/s390x"),
        ] {
            assert_eq!(platform(os, architecture), expected);
        }
    }
}
