//! The order of the work: bodies first, since the loop mark covers them, then fields, then stamps,
//! then the proof.

use super::append::append;
use super::disclaimer::bodies;
use super::fields::{hygiene, section_is_clean};
use super::loop_mark::mark;
use super::prove;
use super::request::{DisclaimerOutcome, OmitReason, Plan, Request, Retention, Unrewritable};
use super::stamp::Stamps;
use crate::mail::{Message, Splice};

/// Plans the edits of one message: stamps, header hygiene, forced Bcc and disclaimer, proven.
///
/// # Errors
/// [`Unrewritable`] says why the message can't leave as the verdict wants it; the caller holds it.
pub fn plan(message: &Message, request: &Request<'_>) -> Result<Plan, Unrewritable> {
    if !section_is_clean(message) {
        return Err(Unrewritable::Header);
    }
    let (body_edits, disclaimer) = disclaim(message, request)?;
    let mut edits = hygiene(message, request)?;
    edits.extend(body_edits);
    // Stable, so that two insertions at one place keep their order.
    edits.sort_by_key(|splice| (splice.at.start, splice.at.end));
    let loop_mark = mark(message, &edits, request.seal);
    let stamps = Stamps {
        trace: &request.trace,
        loop_mark: &loop_mark,
        disclaimer,
        monitor: request.monitor,
    };
    Ok(Plan {
        outside: stamped(message, request, &edits, &stamps, &request.outside)?,
        own: stamped(message, request, &edits, &stamps, &request.own)?,
        disclaimer,
    })
}

fn disclaim(
    message: &Message,
    request: &Request<'_>,
) -> Result<(Vec<Splice>, DisclaimerOutcome), Unrewritable> {
    if !request.append_disclaimer {
        return Ok((Vec::new(), DisclaimerOutcome::NotAsked));
    }
    if request.null_sender {
        return Ok((Vec::new(), DisclaimerOutcome::Omitted(OmitReason::NullSender)));
    }
    let chosen = match bodies(message) {
        Ok(chosen) => chosen,
        Err(reason) => return Ok((Vec::new(), DisclaimerOutcome::Omitted(reason))),
    };
    let mut edits = Vec::new();
    for (id, kind) in &chosen {
        let Some(appended) = append(message, *id, *kind, request.disclaimer) else {
            return Ok((Vec::new(), DisclaimerOutcome::Omitted(OmitReason::Malformed)));
        };
        prove::text(message, *id, &appended)?;
        edits.extend(appended.splices);
    }
    prove::no_boundary(message, &edits)?;
    Ok((edits, DisclaimerOutcome::Appended { parts: chosen.len() }))
}

fn stamped(
    message: &Message,
    request: &Request<'_>,
    edits: &[Splice],
    stamps: &Stamps<'_>,
    retention: &Retention<'_>,
) -> Result<Vec<Splice>, Unrewritable> {
    let (block, fields) = stamps.block(retention)?;
    let mut all = Vec::with_capacity(edits.len() + 1);
    all.push(Splice { at: 0..0, with: block.into_bytes() });
    all.extend_from_slice(edits);
    prove::header(message, request, &all, fields)?;
    Ok(all)
}
