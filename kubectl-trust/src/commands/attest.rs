//! `kubectl trust attest`: statements about images, as bundles beside them.

use anyhow::Context as _;
use common::attach;
use common::limits;
use common::signature::make;
use serde_json::Value;

use super::sign::{self, images::Target};
use crate::cli::AttestArgs;
use crate::cluster::World;
use crate::exit::ExitStatus;
use crate::output::Printer;
use crate::{images, input, predicate};

/// Attests the same of every image: all predicates and keys are read before anything is written.
pub(crate) fn run(args: &AttestArgs, printer: &mut Printer) -> anyhow::Result<ExitStatus> {
    let name = args.predicate.display().to_string();
    let text = input::text(&args.predicate, limits::ATTESTATION_BYTES)?;
    let predicate: Value = serde_json::from_str(&text).with_context(|| format!("{name}: not JSON"))?;
    let predicate_type = predicate::type_of(&args.predicate_type);
    let key = sign::private_key(&args.key)?;
    let client = images::client(&args.registry)?;
    let world = World::offline();
    world.block_on(async {
        for image in &args.images {
            let target = Target::find(image, &client).await?;
            let statement =
                make::statement(&target.name(), &target.manifest.digest, &predicate_type, &predicate);
            let bundle = make::statement_bundle(&statement, &key)?;
            let (at, now) = (target.image.repository(), super::judge::now());
            let attached = attach::bundle(&client, at, &target.manifest, bundle, &predicate_type, now).await;
            attached.map_err(|fault| anyhow::anyhow!("{image}: {fault}"))?;
            printer
                .note_line(format_args!("{image}: attested {predicate_type} of {}", target.manifest.digest));
        }
        anyhow::Ok(())
    })??;
    Ok(ExitStatus::Trusted)
}
