//! The official conformance cases that are at hand, through the client that the official suite drives.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const IDENTITY: &str = "https://github.com/sigstore-conformance/extremely-dangerous-public-oidc-beacon/.github/workflows/extremely-dangerous-oidc-beacon.yml@refs/heads/main";
const ISSUER: &str = "https://token.actions.githubusercontent.com";

#[expect(clippy::print_stderr, reason = "absence is said loudly")]
fn folder() -> Option<PathBuf> {
    let named = std::env::var_os("TRUST_VECTORS").map(PathBuf::from);
    let shared = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/vectors"));
    let folder = shared.join("conformance");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("NOTE: no conformance cases in {}; set TRUST_VECTORS to run them", folder.display());
    None
}

#[test]
fn every_case_ends_as_its_name_says() {
    let Some(folder) = folder() else { return };
    let cases =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
    let mut seen = 0;
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let own = |file: &str| Some(case.join(file)).filter(|path| path.is_file());
        let text = |file: &str| own(file).map(|path| fs::read_to_string(path).unwrap().trim().to_owned());
        let mut client = Command::new(env!("CARGO_BIN_EXE_conformance-client"));
        client.arg("verify-bundle").arg("--bundle").arg(case.join("bundle.sigstore.json"));
        match own("key.pub") {
            Some(key) => client.arg("--key").arg(key),
            None => client
                .args(["--certificate-identity", &text("identity").unwrap_or_else(|| IDENTITY.to_owned())])
                .args(["--certificate-oidc-issuer", &text("issuer").unwrap_or_else(|| ISSUER.to_owned())]),
        };
        if let Some(root) = own("trusted_root.json") {
            client.arg("--trusted-root").arg(root);
        }
        client.arg(own("artifact").unwrap_or_else(|| folder.join("a.txt")));
        let output = client.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), !name.ends_with("_fail"), "{name}: {said}");
        assert!(!said.contains("panicked"), "{name}: {said}");
        seen += 1;
    }
    assert!(seen > 25, "{seen} cases");
}
