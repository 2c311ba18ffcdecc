//! Which of several statements of one signer still count: images are scanned again and again, and every scan
//! leaves its statement.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::policy::expression::Expression;
use crate::signature::Found;
use crate::verdict::{Check, Outcome, Reason};

/// A statement and who signed it.
pub(super) struct Signed<'s> {
    pub(super) found: &'s Arc<Found>,
    /// Of [`crate::signer::Signer::id`].
    pub(super) signer: String,
}

/// The statements that count, and the others as parts of the tree.
///
/// Of statements that say when they were made, the newest of each signer counts. The time is what the signer
/// says, as it is signed; attack: an old statement with a new entry in a log or a new timestamp, which everybody
/// can get for it. One that says no time is never superseded, and none supersedes another signer's.
pub(super) fn newest<'s>(
    statements: Vec<Signed<'s>>,
    newest_by: Option<&Expression>,
) -> (Vec<&'s Arc<Found>>, Vec<Check>) {
    let Some(by) = newest_by else {
        return (statements.into_iter().map(|signed| signed.found).collect(), Vec::new());
    };
    let dated = |signed: Signed<'s>| {
        let time = time(signed.found, by);
        (signed, time)
    };
    let dated: Vec<_> = statements.into_iter().map(dated).collect();
    let mut latest: BTreeMap<String, Timestamp> = BTreeMap::new();
    for (signed, time) in &dated {
        let Some(time) = time else { continue };
        latest
            .entry(signed.signer.clone())
            .and_modify(|latest| *latest = (*latest).max(*time))
            .or_insert(*time);
    }
    let (mut counting, mut superseded) = (Vec::new(), Vec::new());
    for (signed, time) in dated {
        match (time, latest.get(&signed.signer)) {
            (Some(time), Some(latest)) if time < *latest => {
                let reason = Reason::StatementSuperseded { of: time, by: *latest };
                superseded.push(Check::leaf(signed.found.place.clone(), Outcome::Skip, reason));
            }
            _ => counting.push(signed.found),
        }
    }
    (counting, superseded)
}

fn time(found: &Found, by: &Expression) -> Option<Timestamp> {
    by.time_in(&found.claim.as_ref().ok()?.statement()?.predicate)
}
