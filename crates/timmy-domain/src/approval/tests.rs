use super::*;

/// Every pair of state and act, written out: the table of the design, not the code.
// shows: approvals: each of the 72 pairs of state and act is allowed or refused as written down, for each kind of actor
#[test]
fn every_pair_of_state_and_act_is_as_the_table_says() {
    use ApprovalStatus as S;
    let allowed = [
        (S::Pending, Act::Approve, S::Approved),
        (S::Pending, Act::Reject, S::Rejected),
        (S::Pending, Act::Expire, S::Expired),
        (S::Pending, Act::Supersede, S::Superseded),
        (S::Pending, Act::Withdraw, S::Withdrawn),
        (S::Approved, Act::Consume, S::Consumed),
        (S::Approved, Act::Revoke, S::Revoked),
        (S::Approved, Act::Expire, S::Expired),
    ];
    for status in S::ALL.into_iter().chain([S::Unknown]) {
        for act in Act::ALL {
            let wanted = allowed.iter().find(|(from, by, _)| (*from, *by) == (status, act)).map(|(_, _, to)| *to);
            let got = step(status, act, &Actor::Owner);
            assert_eq!(got.ok(), wanted, "{status} {act:?} by the owner");
            for by in [Actor::Timmy, Actor::System] {
                let wanted = wanted.filter(|_| !act.is_the_owners());
                assert_eq!(step(status, act, &by).ok(), wanted, "{status} {act:?} by {by}");
            }
            assert!(step(status, act, &Actor::Stranger).is_err() && step(status, act, &Actor::Program).is_err());
        }
    }
}

fn approval(status: ApprovalStatus, risk: Assessment) -> Approval {
    let now = Timestamp::from_micros(1_000_000_000);
    Approval {
        id: ApprovalId::new(1, &[0; 10]),
        subject: Subject::task("t"),
        title: "T".into(),
        description: String::new(),
        proposed_action: String::new(),
        status,
        version: 1,
        not_before: not_before(&risk, now),
        risk,
        plan: None,
        plan_hash: Some(Digest::of(b"p")),
        expires_at: expiry(now),
        created_at: now,
        created_by: "timmy".into(),
        decided_at: None,
        decided_by: None,
        reason: None,
        seq: 1,
    }
}

#[test]
fn overdue_counts_as_expired_before_anybody_wrote_it_down() {
    let pending = approval(ApprovalStatus::Pending, Assessment::plain(50, "x", "x"));
    let late = pending.expires_at;
    let before = late.minus(Duration::from_micros(1));
    assert_eq!(pending.standing(before), ApprovalStatus::Pending);
    assert_eq!(pending.standing(late), ApprovalStatus::Expired);
    assert_eq!(
        pending.step(Act::Approve, &Actor::Owner, late),
        Err(Refusal::State { act: Act::Approve, status: ApprovalStatus::Expired })
    );
    assert_eq!(pending.step(Act::Expire, &Actor::System, late), Ok(ApprovalStatus::Expired));
    assert!(pending.step(Act::Expire, &Actor::System, before).is_err(), "nothing expires early");
    let unused = approval(ApprovalStatus::Approved, Assessment::plain(50, "x", "x"));
    assert!(unused.step(Act::Consume, &Actor::Timmy, late).is_err(), "a yes that was not used in time is none");
    let carried_out = Approval { plan_hash: None, ..unused };
    assert_eq!(carried_out.standing(late), ApprovalStatus::Approved);
}

#[test]
fn what_is_very_risky_cools_down_before_a_yes_counts_and_a_no_always_does() {
    let risky = approval(ApprovalStatus::Pending, Assessment::plain(80, "x", "x"));
    let at = |seconds| risky.created_at.plus(Duration::from_secs(seconds));
    assert_eq!(risky.step(Act::Approve, &Actor::Owner, at(59)), Err(Refusal::CoolingDown { seconds: 1 }));
    assert_eq!(risky.step(Act::Reject, &Actor::Owner, at(0)), Ok(ApprovalStatus::Rejected));
    assert_eq!(risky.step(Act::Approve, &Actor::Owner, at(60)), Ok(ApprovalStatus::Approved));
    let usual = approval(ApprovalStatus::Pending, Assessment::plain(79, "x", "x"));
    assert_eq!(usual.step(Act::Approve, &Actor::Owner, usual.created_at), Ok(ApprovalStatus::Approved));
}

#[test]
fn every_refusal_says_what_happened_and_what_to_do() {
    for act in Act::ALL {
        for status in ApprovalStatus::ALL {
            let problem = Refusal::State { act, status }.problem();
            assert!(problem.message.ends_with("Nothing was changed.") && !problem.hint.is_empty());
        }
    }
    let problem = Refusal::NotTheOwner { act: Act::Approve, by: Actor::Timmy }.problem();
    assert_eq!(problem.kind, Kind::Forbidden);
}
