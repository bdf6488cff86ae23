//! What makes a policy (section A.5). The texts are the live service's unless a comment says otherwise.

use batchyard_core::item::{FairShare, SchedulingPolicy, ShareWeight};
use batchyard_core::time::Millis;
use batchyard_wire::Fault;
use batchyard_wire::batch::errors::client_exception;
use batchyard_wire::batch::{
    FairsharePolicy, QuotaShareIdleResourceAssignmentStrategy, QuotaSharePolicy, ShareAttributes,
};

/// A week.
const DECAY_SECONDS_MAX: i32 = 604_800;

/// Of the capacity, in percent.
const RESERVATION_MAX: i32 = 99;

/// Characters of a share identifier (section 0.17).
const IDENTIFIER_MAX: usize = 255;

/// Weights are kept in such parts.
const WEIGHT_PARTS: f64 = 10_000.0;

/// The policy as the scheduler reads it; that of neither kind is fair share without weights (own decision).
pub(super) fn policy(
    fair_share: Option<&FairsharePolicy>,
    quota_share: Option<&QuotaSharePolicy>,
    shares_max: usize,
) -> Result<SchedulingPolicy, Fault> {
    match (fair_share, quota_share) {
        (Some(_), Some(_)) => Err(client_exception(
            "A scheduling policy can have either fairsharePolicy or quotaSharePolicy",
        )),
        (None, Some(policy)) => {
            let strategy = &policy.idle_resource_assignment_strategy;
            if *strategy != QuotaShareIdleResourceAssignmentStrategy::Fifo {
                return Err(client_exception(
                    "Idle resource assignment strategy must be one of [FIFO].",
                ));
            }
            Ok(SchedulingPolicy::QuotaShare)
        }
        (Some(policy), None) => fair_share_of(policy, shares_max).map(SchedulingPolicy::FairShare),
        (None, None) => Ok(SchedulingPolicy::FairShare(FairShare::default())),
    }
}

fn fair_share_of(policy: &FairsharePolicy, shares_max: usize) -> Result<FairShare, Fault> {
    let FairsharePolicy {
        compute_reservation,
        share_decay_seconds,
        share_distribution,
    } = policy;
    // Own words for the two numbers.
    let seconds = share_decay_seconds.unwrap_or(0);
    let decay = u64::try_from(seconds)
        .ok()
        .filter(|_| seconds <= DECAY_SECONDS_MAX);
    let decay = decay.ok_or_else(|| {
        client_exception(format!(
            "shareDecaySeconds should be between 0 and {DECAY_SECONDS_MAX}."
        ))
    })?;
    let percent = compute_reservation.unwrap_or(0);
    let reservation = u8::try_from(percent).ok().filter(|_| percent <= RESERVATION_MAX);
    let reservation_percent = reservation.ok_or_else(|| {
        client_exception(format!(
            "computeReservation should be between 0 and {RESERVATION_MAX}."
        ))
    })?;
    let distribution = share_distribution.as_deref().unwrap_or_default();
    if distribution.len() > shares_max {
        return Err(client_exception(format!(
            "ShareDistribution size cannot be greater than {shares_max}."
        )));
    }
    let shares: Result<Vec<ShareWeight>, Fault> = distribution.iter().map(share_weight).collect();
    let shares = shares?;
    check_overlap(&shares)?;
    Ok(FairShare {
        decay: Millis::from_seconds(decay),
        reservation_percent,
        shares,
    })
}

fn share_weight(attributes: &ShareAttributes) -> Result<ShareWeight, Fault> {
    let ShareAttributes {
        share_identifier,
        weight_factor,
    } = attributes;
    let (share, is_prefix) = match share_identifier.strip_suffix('*') {
        Some(share) => (share, true),
        None => (share_identifier.as_str(), false),
    };
    if !is_share_identifier(share) {
        return Err(bad_share_identifier());
    }
    let parts = weight_factor.unwrap_or(1.0) * WEIGHT_PARTS;
    if !(1.0..=9_999_999.0).contains(&parts.round()) {
        return Err(client_exception(
            "Weight factor should be between 0.0001 and 999.9999.",
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was just checked"
    )]
    let weight = parts.round() as u32;
    Ok(ShareWeight {
        share: share.into(),
        is_prefix,
        weight,
    })
}

/// Whether a job or a policy may name a share so (section 0.17: letters and digits; the live check lets `-` and `_` pass too).
pub(in crate::batch) fn is_share_identifier(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=IDENTIFIER_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

/// The beginning is the live service's, the rest our own (section 0.17).
pub(in crate::batch) fn bad_share_identifier() -> Fault {
    client_exception("ShareIdentifier name should match a valid pattern.")
}

/// No share may have two weights. In the order of identifiers, whom a prefix matches comes right behind it.
fn check_overlap(shares: &[ShareWeight]) -> Result<(), Fault> {
    let mut sorted: Vec<&ShareWeight> = shares.iter().collect();
    sorted.sort_by_key(|share| (&share.share, !share.is_prefix));
    for pair in sorted.windows(2) {
        let [one, next] = pair else { continue };
        if (&one.share, one.is_prefix) == (&next.share, next.is_prefix) {
            return Err(client_exception(
                "Cannot have two or more identical shareIdentifiers.",
            ));
        }
        if one.is_prefix && next.share.starts_with(&*one.share) {
            let star = if next.is_prefix { "*" } else { "" };
            return Err(client_exception(format!(
                "Share identifier {}* matches another share identifier {}{star}",
                one.share, next.share
            )));
        }
    }
    Ok(())
}
