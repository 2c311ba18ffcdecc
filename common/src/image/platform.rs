//! Platforms of images (OCI image specification, `image-index.md`).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An operating system and processor.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Platform {
    /// `linux`, `windows`, …
    pub os: String,
    /// `amd64`, `arm64`, …
    pub architecture: String,
    /// `v8`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// Whether a node of one platform takes the other for its own: container runtimes know several names
    /// for one processor, and a usual variant where none is written (containerd's `platforms`, `Normalize`).
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }

    fn normal(&self) -> (String, String, String) {
        let os = match self.os.to_ascii_lowercase().as_str() {
            "macos" => "darwin".to_owned(),
            other => other.to_owned(),
        };
        let variant = self.variant.as_deref().unwrap_or_default().to_ascii_lowercase();
        let variant = match variant.strip_prefix('v').unwrap_or(&variant) {
            "" => String::new(),
            number => format!("v{number}"),
        };
        let (architecture, variant) =
            match (self.architecture.to_ascii_lowercase().as_str(), variant.as_str()) {
                ("aarch64" | "arm64", "" | "v8") => ("arm64", ""),
                ("aarch64" | "arm64", variant) => ("arm64", variant),
                ("x86_64" | "x86-64" | "amd64", "" | "v1") => ("amd64", ""),
                ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
                ("i386" | "386", _) => ("386", ""),
                ("armel", _) => ("arm", "v6"),
                ("armhf", _) | ("arm", "") => ("arm", "v7"),
                (other, variant) => return (os, other.to_owned(), variant.to_owned()),
            };
        (os, architecture.to_owned(), variant.to_owned())
    }
}

impl fmt::Display for Platform {
    /// `linux/arm64/v8`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.iter().try_for_each(|variant| write!(f, "/{variant}"))
    }
}

/// What is not `OS/ARCHITECTURE` or `OS/ARCHITECTURE/VARIANT`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write OS/ARCHITECTURE[/VARIANT], as linux/amd64")]
pub struct PlatformError;

impl FromStr for Platform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, PlatformError> {
        let word =
            |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let parts: Vec<_> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture, rest @ ..] if rest.len() < 2 && parts.iter().all(word) => Ok(Self {
                os: (*os).to_owned(),
                architecture: (*architecture).to_owned(),
                variant: rest.first().map(|variant| (*variant).to_owned()),
            }),
            _ => Err(PlatformError),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_platform_has_several_names() {
        let platform = |text: &str| text.parse::<Platform>().unwrap();
        for (one, other) in [
            ("linux/arm64", "Linux/AARCH64/V8"),
            ("linux/amd64", "linux/x86_64/v1"),
            ("linux/arm", "linux/armhf"),
            ("linux/arm/7", "linux/arm/v7"),
            ("linux/386", "linux/i386"),
            ("macos/arm64", "darwin/arm64"),
        ] {
            assert!(platform(one).is_same(&platform(other)), "{one} {other}");
        }
        for (one, other) in
            [("linux/arm64", "linux/amd64"), ("linux/arm/v6", "linux/arm"), ("linux/amd64/v3", "linux/amd64")]
        {
            assert!(!platform(one).is_same(&platform(other)), "{one} {other}");
        }
    }

    #[test]
    fn a_platform_is_written_as_it_is_read() {
        for text in ["linux/amd64", "linux/arm64/v8"] {
            assert_eq!(text.parse::<Platform>().unwrap().to_string(), text);
        }
        for text in ["", "linux", "linux/", "linux/arm64/v8/x", "linux/amd 64"] {
            assert_eq!(text.parse::<Platform>(), Err(PlatformError), "{text}");
        }
    }
}
