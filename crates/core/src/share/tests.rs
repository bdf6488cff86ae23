use super::*;
use crate::item::ShareWeight;

#[test]
fn the_reservation_shrinks_with_each_active_share() {
    let reserved = |percent, active| reserved_of(64_000, percent, active);
    assert_eq!(
        [1, 2, 3].map(|active| reserved(50, active)),
        [32_000, 16_000, 8_000]
    );
    assert_eq!(
        [1, 2, 3].map(|active| reserved(25, active)),
        [16_000, 4_000, 1_000]
    );
    assert_eq!(
        (reserved(0, 1), reserved(99, 0), reserved(50, 500)),
        (0, 64_000, 0)
    );
}

/// Shares one after another as their courses have it.
fn by_course(shares: &Shares, now: Timestamp) -> Vec<(u128, ShareName)> {
    let courses = shares.courses();
    let mut turns: Vec<_> = courses
        .firsts()
        .flat_map(|(course, name)| {
            let later = courses.after(course, name);
            std::iter::once((course, name)).chain(later)
        })
        .map(|(course, name)| (course.at(now), Arc::clone(name)))
        .collect();
    turns.sort_unstable();
    turns
}

#[test]
fn courses_say_what_the_scores_say() {
    let weight = |share: &str, is_prefix, weight| ShareWeight {
        share: share.into(),
        is_prefix,
        weight,
    };
    let policy = FairShare {
        shares: vec![weight("a", false, 5_000), weight("team", true, 20_000)],
        ..FairShare::default()
    };
    let names = ["a", "b", "team1", "team2", "team3"];
    let mut shares = Shares::default();
    shares.set_policy(Some(policy.clone()));
    for name in names {
        shares.change(name, |share| share.jobs = 1);
    }
    let mut known = 0;
    for step in 0..2_000_u32 {
        // Half a second to a second goes by: a part of the window has 30.
        let now = Timestamp::from_millis(1_000_000 + i64::from(step) * 500 + i64::from(step % 7) * 80);
        let name = names[usize::try_from(step * step % 11 % 5).unwrap()];
        let rate = u64::from(step % 3) * 1_000;
        let ledger = match shares
            .get(name)
            .and_then(|share| Some((share.rate, share.ledger.as_ref()?)))
        {
            None => Ledger::new(now, &policy),
            Some((rate, ledger)) => ledger.settled(now, rate, &policy),
        };
        if step % 97 == 96 {
            shares.forget(name);
        } else {
            shares.charge(name, ledger);
            shares.change(name, |share| share.rate = rate);
            shares.note_waits(name, step % 5 > 0);
        }
        for later in [0, 400, 29_000, 31_000] {
            let then = now + Millis::new(later);
            if !shares.courses().hold_at(then) {
                continue;
            }
            known += 1;
            let waiting = shares.iter().filter(|(_, share)| share.waits);
            let scores = waiting.map(|(name, _)| (shares.score(name, then).unwrap_or(0), Arc::clone(name)));
            let mut scores: Vec<_> = scores.collect();
            scores.sort_unstable();
            assert_eq!(by_course(&shares, then), scores, "step {step}, {later} ms later");
        }
    }
    assert!(known > 4_000, "{known}");
}

#[test]
fn shares_expire_a_window_after_their_last_job() {
    let policy = FairShare::default();
    let mut shares = Shares::default();
    shares.set_policy(Some(policy.clone()));
    for (name, at) in [("z", 1_000), ("a", 2_000), ("busy", 0)] {
        shares.charge(name, Ledger::new(Timestamp::from_millis(at), &policy));
    }
    shares.change("busy", |share| share.jobs = 1);
    let expired = |shares: &Shares, at: i64| -> Vec<String> {
        let expired = shares.expired(Timestamp::from_millis(at)).into_iter();
        expired.map(|name| name.to_string()).collect()
    };
    let window = i64::try_from(window_of(&policy).as_millis()).unwrap();
    assert_eq!(expired(&shares, window + 999), [""; 0]);
    assert_eq!(expired(&shares, window + 1_000), ["z"]);
    assert_eq!(expired(&shares, window * 9), ["a", "z"]);
    shares.forget("z");
    assert_eq!(expired(&shares, window * 9), ["a"]);
}

#[test]
fn a_forgotten_share_leaves_nothing_behind() {
    let weight = |share: &str| ShareWeight {
        share: share.into(),
        is_prefix: true,
        weight: 20_000,
    };
    let policy = FairShare {
        shares: vec![weight("team"), weight("")],
        ..FairShare::default()
    };
    let mut shares = Shares::default();
    shares.set_policy(Some(policy.clone()));
    let fresh = shares.clone();
    for name in ["team1", "", "other"] {
        shares.charge(name, Ledger::new(Timestamp::from_millis(0), &policy));
        shares.forget(name);
        assert_eq!(shares.matching, fresh.matching, "{name:?}");
        assert_eq!(shares.iter().count(), 0, "{name:?}");
    }
}
