//! One engine that asks: what is approved, by whom, for what, and for how long.

use std::time::Duration;

use serde_json::Value;
use timmy_core::decide::decide;
use timmy_core::settings::Settings;
use timmy_core::trust::digest;
use timmy_core::trust::policy::{Permission, Surroundings};
use timmy_domain::approval::{Act, Approval, ApprovalStatus, Decision, NewApproval, Subject};
use timmy_domain::plan::{Exe, Place, Plan};
use timmy_domain::problem::Kind;
use timmy_domain::risk::{Assessment, RiskClass};
use timmy_domain::{Actor, Digest, Secret};
use timmy_store::ApprovalQuery;
use timmy_testkit::{Engine, engine};

fn plan(engine: &Engine, nonce: &str) -> Plan {
    let expires_at = engine.app.ctx.now().plus(Duration::from_secs(3_600));
    let mut plan = Plan::new("shell", RiskClass::Execute, Value::Null, nonce, expires_at);
    plan.argv = vec!["hugo".into(), "build".into()];
    plan.exe = Some(Exe { path: "/usr/bin/hugo".into(), sha256: Digest::of(b"hugo") });
    plan.cwd = Some(Place { path: "/srv/site".into(), dev: 1, inode: 2 });
    plan
}

fn around() -> Surroundings {
    Surroundings { tier: 3, own: vec!["/srv/site".into()], ..Surroundings::default() }
}

async fn asked(engine: &Engine, plan: &Plan) -> Approval {
    let subject = Subject::new(Subject::CALL, plan.nonce.clone());
    match engine.app.policy.permit(plan, around(), subject, None).await.expect("judged") {
        Permission::Wait(approval) => *approval,
        other => panic!("it was not asked: {other:?}"),
    }
}

async fn approved(engine: &Engine, plan: &Plan) -> Approval {
    let approval = asked(engine, plan).await;
    let yes = Decision::by_owner(Act::Approve, "test", Some("fine".into()));
    decide(&engine.app, approval.id, yes, None).await.expect("approved")
}

// shows: approvals: a yes is bound to the exact plan, good for one time and consumed with its use, each step with its event
#[tokio::test(flavor = "multi_thread")]
async fn a_yes_is_good_once_for_exactly_what_was_shown() {
    let engine = engine(Vec::new(), Settings::default());
    let plan = plan(&engine, "1");
    let approval = approved(&engine, &plan).await;
    assert_eq!(approval.decided_by.as_deref(), Some("owner:test"));
    let lease = engine.app.policy.lease_for(approval.id, &plan).await.expect("a lease");
    engine.app.policy.redeem(&lease, &plan).await.expect("used");
    assert!(engine.app.policy.redeem(&lease, &plan).await.is_err(), "a second time");
    assert!(engine.app.policy.lease_for(approval.id, &plan).await.is_err(), "the yes is used up");
    assert_eq!(engine.app.approvals.get(approval.id).await.expect("there").status, ApprovalStatus::Consumed);
    for name in ["approval.requested", "approval.approved", "approval.consumed"] {
        assert_eq!(engine.events(name).await.len(), 1, "{name}");
    }
}

// shows: approvals: case 21: the same command with another argument, folder, environment, program or nonce has no approval
#[tokio::test(flavor = "multi_thread")]
async fn case_21_a_yes_does_not_cover_a_changed_plan() {
    let engine = engine(Vec::new(), Settings::default());
    let plan = plan(&engine, "1");
    let approval = approved(&engine, &plan).await;
    let changes: [fn(&mut Plan); 7] = [
        |plan| plan.argv.push("--force".into()),
        |plan| plan.cwd.as_mut().expect("set").inode = 3,
        |plan| plan.env_sha256 = Some(Digest::of(b"LD_PRELOAD=x")),
        |plan| plan.stdin_sha256 = Some(Digest::of(b"x")),
        |plan| plan.exe.as_mut().expect("set").sha256 = Digest::of(b"swapped"),
        |plan| plan.nonce.push('2'),
        |plan| plan.class = RiskClass::Spend,
    ];
    for (i, change) in changes.iter().enumerate() {
        let mut other = plan.clone();
        change(&mut other);
        assert!(engine.app.policy.lease_for(approval.id, &other).await.is_err(), "change {i}");
        let lease = engine.app.policy.lease_for(approval.id, &plan).await.expect("for the plan itself");
        assert!(engine.app.policy.redeem(&lease, &other).await.is_err(), "change {i} under the lease");
    }
    let lease = engine.app.policy.lease_for(approval.id, &plan).await.expect("still unused");
    engine.app.policy.redeem(&lease, &plan).await.expect("the plan itself");
}

// shows: approvals: of 10,000 forged, replayed, mutated and expired leases none is accepted
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_bad_leases_open_nothing() {
    let engine = engine(Vec::new(), Settings::default());
    let plan = plan(&engine, "1");
    let approval = approved(&engine, &plan).await;
    let policy = &engine.app.policy;
    let expired = policy.lease_for(approval.id, &plan).await.expect("a lease");
    engine.clock.advance(Duration::from_secs(601));
    assert!(policy.redeem(&expired, &plan).await.is_err(), "older than ten minutes");
    let replaced = policy.lease_for(approval.id, &plan).await.expect("a lease");
    let used = policy.lease_for(approval.id, &plan).await.expect("a lease");
    policy.redeem(&used, &plan).await.expect("used");
    let good = used.expose().to_owned();
    for n in 0..10_000_usize {
        let forged = match n % 5 {
            0 => good.clone(),
            1 => replaced.expose().to_owned(),
            2 => expired.expose().to_owned(),
            3 => {
                let mut bytes = good.clone().into_bytes();
                let at = n % bytes.len();
                bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
                String::from_utf8(bytes).expect("digits")
            }
            _ => Digest::of(&n.to_le_bytes()).to_string(),
        };
        let mut other = plan.clone();
        if n % 2 == 1 {
            other.nonce = n.to_string();
        }
        let refused = policy.redeem(&Secret::new(forged), &other).await.expect_err("refused");
        assert_eq!((refused.code, refused.kind), ("no_lease", Kind::Forbidden), "{n}");
    }
}

// shows: approvals: case 23: neither Timmy, the house nor a stranger can approve, reject, revoke or make a rule
#[tokio::test(flavor = "multi_thread")]
async fn case_23_nobody_but_the_owner_decides() {
    let engine = engine(Vec::new(), Settings::default());
    let approval = asked(&engine, &plan(&engine, "1")).await;
    for actor in [Actor::Timmy, Actor::System, Actor::Stranger] {
        for act in [Act::Approve, Act::Reject, Act::Revoke] {
            let decision = Decision { act, actor: actor.clone(), through: String::new(), reason: None };
            let refused = decide(&engine.app, approval.id, decision, None).await.expect_err("refused");
            assert_eq!(refused.kind, Kind::Forbidden, "{actor} {act:?}");
        }
    }
    assert_eq!(engine.app.approvals.get(approval.id).await.expect("there").status, ApprovalStatus::Pending);
}

// shows: approvals: what nobody answers expires after seven days and stays in the list, and so does a yes that was not used
#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_expires_and_is_never_deleted() {
    let mut engine = engine(Vec::new(), Settings::default());
    let (one, two) = (plan(&engine, "1"), plan(&engine, "2"));
    let waits = asked(&engine, &one).await;
    let unused = approved(&engine, &two).await;
    engine.clock.advance(Duration::from_secs(7 * 86_400));
    let now = engine.app.ctx.now();
    let query = ApprovalQuery { status: Some(ApprovalStatus::Expired), ..ApprovalQuery::at(now) };
    let before = engine.app.approvals.page(query.clone()).await.expect("read");
    assert_eq!(before.len(), 2, "reads know it before the sweep");
    let yes = Decision::by_owner(Act::Approve, "test", None);
    assert_eq!(decide(&engine.app, waits.id, yes, None).await.expect_err("too late").kind, Kind::Conflict);
    assert!(engine.app.policy.lease_for(unused.id, &two).await.is_err());
    engine.run_only(&["trust.approvals"]);
    assert_eq!(engine.wait_for("approval.expired", 2).await.len(), 2);
    assert!(engine.app.approvals.page(query).await.expect("read").iter().all(|a| a.status == ApprovalStatus::Expired));
    engine.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_again_supersedes_and_two_decisions_at_once_are_one() {
    let engine = engine(Vec::new(), Settings::default());
    let ask = || NewApproval {
        subject: Subject::task("t"),
        title: "Tidy".into(),
        description: String::new(),
        proposed_action: String::new(),
        plan: None,
        risk: Assessment::plain(50, "asked", "the task says so"),
        expires_at: None,
        by: Actor::Timmy,
        cause: None,
    };
    let first = engine.app.approvals.ask(ask(), None).await.expect("asked");
    let second = engine.app.approvals.ask(ask(), None).await.expect("asked again");
    assert_eq!(engine.app.approvals.get(first.id).await.expect("there").status, ApprovalStatus::Superseded);
    let decisions = [Act::Approve, Act::Reject]
        .map(|act| decide(&engine.app, second.id, Decision::by_owner(act, "test", None), None));
    let [yes, no] = decisions;
    let (yes, no) = tokio::join!(yes, no);
    assert!(yes.is_ok() != no.is_ok(), "exactly one of them counts");
}

// shows: approvals: five yeses of one shape suggest a rule with what it would have matched; made by the owner, it asks no more, and what it lets run is in the digest for a day
#[tokio::test(flavor = "multi_thread")]
async fn a_rule_is_suggested_from_what_the_owner_said_and_follows_only_when_made() {
    let engine = engine(Vec::new(), Settings::default());
    for nonce in 1..=5 {
        approved(&engine, &plan(&engine, &nonce.to_string())).await;
    }
    let suggested = engine.app.rules.suggestions().await.expect("read");
    assert_eq!((suggested.len(), suggested[0].approvals, suggested[0].would_have_matched.len()), (1, 5, 5));
    asked(&engine, &plan(&engine, "6")).await;
    let wanted = timmy_core::trust::rules::Wanted {
        shape: suggested[0].shape.clone(),
        task_id: None,
        tier_min: 2,
        days: None,
        max_uses: Some(1),
    };
    engine.app.rules.create(wanted, "test").await.expect("made");
    let go = plan(&engine, "7");
    let subject = || Subject::new(Subject::CALL, "7");
    let Permission::Go(lease) = engine.app.policy.permit(&go, around(), subject(), None).await.expect("judged") else {
        panic!("the rule allows it");
    };
    let digest = async |engine: &Engine| {
        let now = engine.app.ctx.now();
        engine.app.ctx.store.read(move |r| digest::digest(r, now, 10)).await.expect("read")
    };
    assert!(digest(&engine).await.is_empty(), "what did not begin is not in the digest");
    engine.app.policy.redeem(&lease, &go).await.expect("used");
    let told = digest(&engine).await;
    assert_eq!((told.len(), told[0].title.as_str(), told[0].at), (1, "Run hugo build", engine.app.ctx.now()));
    assert!((20..50).contains(&told[0].risk), "{told:?}");
    assert_eq!(engine.events("policy.allowed").await.len(), 1);
    engine.clock.advance(Duration::from_secs(25 * 3_600));
    assert!(digest(&engine).await.is_empty(), "a day later it is only in the log");
    asked(&engine, &plan(&engine, "8")).await;
    assert!(engine.app.rules.suggestions().await.expect("read").len() <= 1);
}

// shows: approvals: a suggestion is gone as soon as the owner says no to its shape, or has a rule for it, and comes back when he takes it back
#[tokio::test(flavor = "multi_thread")]
async fn what_is_suggested_follows_the_last_word() {
    let engine = engine(Vec::new(), Settings::default());
    let count = async || engine.app.rules.suggestions().await.expect("read").len();
    for nonce in 1..=4 {
        approved(&engine, &plan(&engine, &nonce.to_string())).await;
    }
    assert_eq!(count().await, 0);
    // No two answers are given in the same instant.
    engine.clock.advance(Duration::from_secs(1));
    approved(&engine, &plan(&engine, "5")).await;
    assert_eq!(count().await, 1, "the fifth yes counts at once");
    let shape = engine.app.rules.suggestions().await.expect("read").remove(0).shape;
    let wanted = timmy_core::trust::rules::Wanted { shape, task_id: None, tier_min: 2, days: None, max_uses: None };
    let rule = engine.app.rules.create(wanted, "test").await.expect("made");
    assert_eq!(count().await, 0, "there is a rule for it");
    engine.app.rules.revoke(rule.id, "test").await.expect("revoked");
    assert_eq!(count().await, 1);
    engine.clock.advance(Duration::from_secs(1));
    let no = asked(&engine, &plan(&engine, "6")).await;
    decide(&engine.app, no.id, Decision::by_owner(Act::Reject, "test", None), None).await.expect("decided");
    assert_eq!(count().await, 0, "one no is enough");
}

// shows: approvals: turning GOLDEN_TIMMY off is told as an act of the owner, and what is always asked for is asked for still
#[tokio::test(flavor = "multi_thread")]
async fn turning_the_strict_profile_off_is_told() {
    let mut settings = Settings::default();
    assert!(settings.trust.golden_timmy, "on by default");
    settings.trust.golden_timmy = false;
    let mut engine = engine(Vec::new(), settings);
    engine.run_only(&["trust.approvals"]);
    let told = engine.wait_for("policy.golden_changed", 1).await;
    assert_eq!((told[0].actor.as_str(), told[0].data.as_str()), ("owner", r#"{"on":false}"#));
    let mut push = plan(&engine, "1");
    push.argv = vec!["git".into(), "push".into()];
    push.exe = Some(Exe { path: "/usr/bin/git".into(), sha256: Digest::of(b"git") });
    asked(&engine, &push).await;
    engine.stop().await;
}

// shows: approvals: in the quiet hours an act weighs more, and what was asked in them is told in one line when they end
#[tokio::test(flavor = "multi_thread")]
async fn questions_of_the_night_are_told_in_the_morning() {
    let mut settings = Settings::default();
    // The clock stands at eight.
    settings.thinking.quiet_from = "07:00".into();
    settings.thinking.quiet_until = "09:00".into();
    let mut engine = engine(Vec::new(), settings);
    engine.run_only(&["trust.approvals"]);
    engine.wait_until(|| engine.app.ctx.reports.all().iter().any(|part| part.name == "trust.approvals")).await;
    let asked_at_night = asked(&engine, &plan(&engine, "1")).await;
    let names = |a: &Approval| a.risk.factors.iter().map(|factor| factor.name.clone()).collect::<Vec<_>>();
    assert!(names(&asked_at_night).contains(&"off_hours".to_owned()), "{:?}", names(&asked_at_night));
    engine.clock.advance(Duration::from_secs(1_800));
    assert!(engine.events("approval.gathered").await.is_empty(), "not before they end");
    engine.advance_until("approval.gathered", 1, Duration::from_secs(600)).await;
    let told = engine.wait_for("approval.gathered", 1).await;
    assert!(told[0].data.to_string().contains("1"), "{}", told[0].data);
    let asked_by_day = asked(&engine, &plan(&engine, "2")).await;
    assert!(!names(&asked_by_day).contains(&"off_hours".to_owned()));
    engine.clock.advance(Duration::from_secs(3_600));
    engine.advance_until("approval.*", 3, Duration::from_secs(60)).await;
    assert_eq!(engine.events("approval.gathered").await.len(), 1, "once");
    engine.stop().await;
}
