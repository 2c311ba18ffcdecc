//! `kubectl trust attest`: statements about images, as bundles beside them.

use anyhow::Context as _;
use common::attach;
use common::limits;
use common::signature::make;
use serde_json::Value;

use super::sign::images::{Target, find_all, verifying};
use crate::cli::AttestArgs;
use crate::clock;
use crate::exit::ExitStatus;
use crate::output::Printer;
use crate::runtime;
use crate::signing::{self, Signer};
use crate::{images, input};

/// Attests the same of every image. All are looked up before anything is signed.
pub(crate) fn run(args: &AttestArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let name = args.predicate.display().to_string();
    let text = input::text(&args.predicate, limits::ATTESTATION_BYTES)?;
    let predicate: Value = serde_json::from_str(&text).with_context(|| format!("{name}: not JSON"))?;
    let predicate_type = &args.predicate_type;
    let signer = Signer::open(&args.signer)?;
    let client = images::client(&args.registry)?;
    let names = runtime::block_on(async {
        let targets = find_all(&args.images, &client).await?;
        signer.announce(printer);
        for target in &targets {
            let digest = &target.manifest.digest;
            let statement = make::statement(&target.name(), digest, predicate_type, &predicate);
            let bundle = signing::json(&signer.statement(&statement).await?)?;
            let (at, now) = (target.image.repository(), clock::now());
            let attached = attach::bundle(&client, at, &target.manifest, bundle, predicate_type, now).await;
            let image = target.image.typed();
            attached.map_err(|fault| anyhow::anyhow!("{image}: {fault}"))?;
            printer.note_line(format_args!("{image}: attested {predicate_type} of {digest}"));
        }
        anyhow::Ok(targets.iter().map(Target::by_digest).collect::<Vec<_>>())
    })??;
    let mut verifying = verifying(&names, &signer, &args.signer, &args.registry);
    verifying.flag("--type", predicate_type);
    verifying.say(printer);
    Ok(ExitStatus::Trusted)
}
