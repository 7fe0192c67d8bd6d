use proptest::prelude::*;

use super::birth::NewTask;
use super::step::{Act, Edit, Outcome};
use super::*;

fn now() -> Timestamp {
    Timestamp::from_micros(1_800_000_000_000_000)
}

fn task(status: Status) -> Task {
    let lease = Lease { holder: "worker".into(), until: now().plus(Duration::from_secs(60)) };
    Task {
        id: TaskId::new(1, &[1; 10]),
        title: "Write the report".into(),
        description: String::new(),
        task_type: "task_request".into(),
        assigned_to: "timmy".into(),
        created_by: "owner".into(),
        status: status.into(),
        priority: Priority::Normal.into(),
        requires_approval: status == Status::PendingApproval,
        auto_approve: false,
        approved_at: None,
        parent_task_id: None,
        result: Some("old result".into()),
        steps: Vec::new(),
        position: 0,
        due: None,
        backlog_reason: Some("old reason".into()),
        attempts: 1,
        attempts_max: 3,
        lease: (status == Status::Running).then_some(lease),
        time_limit_seconds: TIME_LIMIT_SECONDS,
        idempotency_key: None,
        needs: Vec::new(),
        not_before: None,
        quarantined: false,
        created_at: now(),
        started_at: Some(now()),
        completed_at: Some(now()),
        updated_at: now(),
        version: 1,
        seq: 1,
    }
}

fn lease() -> Lease {
    Lease { holder: "worker".into(), until: now().plus(Duration::from_secs(LEASE_SECONDS)) }
}

fn finish(outcome: Outcome) -> Act {
    Act::Finish { holder: "worker".into(), outcome }
}

/// Every act with where it leads from each status, in the order of [`Status::ALL`]; `-` is refused.
const TABLE: [(&str, [&str; 8]); 20] = [
    //              pending      approved     running      paused       completed  vetoed  failed       backlogged
    ("approve", ["approved", "-", "-", "-", "-", "-", "-", "-"]),
    ("veto", ["vetoed", "vetoed", "vetoed", "vetoed", "-", "-", "vetoed", "vetoed"]),
    ("modify", ["pending_approval", "approved", "running", "paused", "-", "-", "failed", "backlogged"]),
    ("pause", ["-", "-", "paused", "-", "-", "-", "-", "-"]),
    ("resume", ["-", "-", "-", "approved", "-", "-", "-", "-"]),
    ("cancel", ["failed", "failed", "failed", "failed", "-", "-", "failed", "failed"]),
    ("retry", ["-", "-", "-", "-", "-", "-", "approved", "-"]),
    ("backlog", ["backlogged", "backlogged", "backlogged", "backlogged", "-", "-", "backlogged", "-"]),
    ("unbacklog", ["-", "-", "-", "-", "-", "-", "-", "approved"]),
    ("complete", ["completed", "completed", "completed", "completed", "-", "-", "completed", "completed"]),
    ("move", ["pending_approval", "approved", "running", "paused", "-", "-", "failed", "backlogged"]),
    ("start", ["-", "running", "-", "-", "-", "-", "-", "-"]),
    ("done", ["-", "-", "completed", "-", "-", "-", "-", "-"]),
    ("transient", ["-", "-", "approved", "-", "-", "-", "-", "-"]),
    ("permanent", ["-", "-", "backlogged", "-", "-", "-", "-", "-"]),
    ("waits", ["-", "-", "pending_approval", "-", "-", "-", "-", "-"]),
    ("stopping", ["-", "-", "approved", "-", "-", "-", "-", "-"]),
    ("postponed", ["-", "-", "approved", "-", "-", "-", "-", "-"]),
    ("recycle", ["-", "-", "approved", "-", "-", "-", "-", "-"]),
    ("last", ["-", "-", "failed", "-", "-", "-", "-", "-"]),
];

fn act(name: &str) -> (Act, Actor) {
    match name {
        "approve" => (Act::Approve, Actor::Owner),
        "veto" => (Act::Veto("no".into()), Actor::Owner),
        "modify" => (Act::Modify(Edit { title: Some("Another".into()), ..Edit::default() }), Actor::Owner),
        "pause" => (Act::Pause, Actor::Owner),
        "resume" => (Act::Resume, Actor::Owner),
        "cancel" => (Act::Cancel(String::new()), Actor::Owner),
        "retry" => (Act::Retry, Actor::Owner),
        "backlog" => (Act::Backlog("later".into()), Actor::Owner),
        "unbacklog" => (Act::Unbacklog, Actor::Owner),
        "complete" => (Act::Complete("by hand".into()), Actor::Owner),
        "move" => (Act::Move(5, Priority::High), Actor::Owner),
        "start" => (Act::Start(lease()), Actor::System),
        "done" => (finish(Outcome::Done("result".into())), Actor::System),
        "transient" | "last" => (finish(Outcome::Transient("no answer".into())), Actor::System),
        "permanent" => (finish(Outcome::Permanent("no handler".into())), Actor::System),
        "postponed" => (finish(Outcome::Postponed("no model".into())), Actor::System),
        "stopping" => (finish(Outcome::Interrupted), Actor::System),
        "waits" => (finish(Outcome::Waits("may I?".into())), Actor::System),
        _ => (Act::Recycle, Actor::System),
    }
}

// shows: tasks: every act on every status leads where the table says, and all else is refused with the reason
#[test]
fn every_act_on_every_status_leads_where_the_table_says() {
    for (name, leads) in TABLE {
        for (status, leads) in Status::ALL.into_iter().zip(leads) {
            let mut task = task(status);
            if name == "last" {
                task.attempts = task.attempts_max;
            }
            let (act, by) = act(name);
            match task.step(act, &by, now()) {
                Ok(change) => {
                    assert_eq!(change.task.status.as_str(), leads, "{name} of {status}");
                    assert_eq!(change.task.version, 2, "{name} of {status}");
                    assert_eq!(
                        change.task.lease.is_some(),
                        change.task.status.known == Some(Status::Running),
                        "{name}"
                    );
                }
                Err(problem) => {
                    assert_eq!(leads, "-", "{name} of {status}: {problem}");
                    assert_eq!(problem.kind.http_status(), 409);
                    assert!(problem.message.contains(status.name()) || problem.code == "not_your_lease");
                }
            }
        }
    }
}

// shows: tasks: a retried or resumed task keeps nothing of its last try
#[test]
fn retry_and_unbacklog_leave_no_stale_result() {
    for (act, status) in [(Act::Retry, Status::Failed), (Act::Unbacklog, Status::Backlogged)] {
        let after = task(status).step(act, &Actor::Owner, now()).expect("allowed").task;
        assert_eq!((after.result, after.backlog_reason, after.completed_at), (None, None, None));
        assert_eq!((after.attempts, after.quarantined), (0, false));
    }
}

// shows: tasks: what the owner never approved is not approved by laying it aside and taking it up again
#[test]
fn laying_aside_is_no_way_around_the_owner() {
    let aside = task(Status::PendingApproval).step(Act::Backlog("x".into()), &Actor::Timmy, now()).expect("aside").task;
    let back = aside.step(Act::Unbacklog, &Actor::Timmy, now()).expect("back").task;
    assert_eq!(back.status.known, Some(Status::PendingApproval));
}

// shows: tasks: Timmy himself cannot approve, veto, complete, or call his own work urgent
#[test]
fn timmy_cannot_do_what_is_the_owners() {
    let refused = |status, act: Act| {
        let problem = task(status).step(act, &Actor::Timmy, now()).expect_err("refused");
        assert_eq!(problem.kind.http_status(), 403);
    };
    refused(Status::PendingApproval, Act::Approve);
    refused(Status::Approved, Act::Veto(String::new()));
    refused(Status::Approved, Act::Complete(String::new()));
    refused(Status::Approved, Act::Cancel(String::new()));
    refused(Status::Failed, Act::Retry);
    refused(Status::Approved, Act::Start(lease()));
    refused(Status::Approved, Act::Move(0, Priority::Urgent));
    refused(Status::Approved, Act::Modify(Edit { priority: Some(Priority::Urgent), ..Edit::default() }));
    let lower = Act::Modify(Edit { priority: Some(Priority::Low), ..Edit::default() });
    assert!(task(Status::Approved).step(lower, &Actor::Timmy, now()).is_ok());
    assert!(task(Status::Approved).step(Act::Approve, &Actor::Stranger, now()).is_err());
}

// shows: tasks: a task that fails for now is tried again later, each time later, and at last fails
#[test]
fn a_transient_failure_is_retried_with_backoff_and_a_cap() {
    let mut task = task(Status::Approved);
    task.attempts = 0;
    let mut at = now();
    let mut waits = Vec::new();
    loop {
        let held = Lease { holder: "worker".into(), until: at.plus(Duration::from_secs(60)) };
        task = task.step(Act::Start(held), &Actor::System, at).expect("begun").task;
        task = task.step(finish(Outcome::Transient("busy".into())), &Actor::System, at).expect("ended").task;
        let Some(until) = task.not_before else { break };
        assert!(task.step(Act::Start(lease()), &Actor::System, at).is_err(), "not before its time");
        waits.push(until.since(at).as_secs());
        at = until;
    }
    assert_eq!(waits, [30, 60]);
    assert_eq!((task.status.known, task.attempts), (Some(Status::Failed), 3));
    assert_eq!(backoff(60).as_secs(), RETRY_SECONDS_MAX);
}

// shows: tasks: a task whose workers die is set aside after its attempts
#[test]
fn a_task_that_kills_its_workers_is_quarantined() {
    let mut task = task(Status::Approved);
    task.attempts = 0;
    let mut deaths = 0;
    while task.status.known == Some(Status::Approved) {
        task = task.step(Act::Start(lease()), &Actor::System, now()).expect("begun").task;
        task = task.step(Act::Recycle, &Actor::System, now()).expect("recycled").task;
        deaths += 1;
    }
    assert_eq!((deaths, task.quarantined, task.status.known), (3, true, Some(Status::Failed)));
    let again = task.step(Act::Retry, &Actor::Owner, now()).expect("the owner insists").task;
    assert!(!again.quarantined);
}

// shows: tasks: a row of a newer version shows its words and refuses every act with the reason
#[test]
fn a_row_of_a_newer_version_is_left_alone() {
    let mut newer = task(Status::Approved);
    newer.status = Word::stored("dreaming");
    newer.priority = Word::stored("banana");
    for (name, _) in TABLE {
        let (act, by) = act(name);
        let problem = newer.step(act, &by, now()).expect_err(name);
        assert!(problem.message.contains("dreaming") && problem.message.contains("banana"));
    }
    let json = serde_json::to_value(&newer).expect("json");
    assert_eq!((json["status"].as_str(), json["priority"].as_str()), (Some("dreaming"), Some("banana")));
    let mut half = task(Status::Approved);
    half.priority = Word::stored("banana");
    assert!(half.step(Act::Start(lease()), &Actor::System, now()).is_err());
    assert!(half.step(Act::Veto(String::new()), &Actor::Owner, now()).is_ok(), "the owner can still be rid of it");
}

// shows: tasks: a worker whose lease is over, or of another, changes nothing
#[test]
fn only_the_holder_of_the_lease_may_finish() {
    let running = task(Status::Running);
    for holder in ["", "Worker", "worker ", "worker\0", "w"] {
        let act = Act::Finish { holder: holder.into(), outcome: Outcome::Done("mine".into()) };
        assert!(running.step(act, &Actor::System, now()).is_err(), "{holder:?}");
    }
    let late = now().plus(Duration::from_secs(61));
    assert!(running.step(finish(Outcome::Done("late".into())), &Actor::System, late).is_err());
}

#[test]
fn who_makes_a_task_decides_whether_it_waits() {
    let made = |by: Actor, kind: &str| {
        let mut new = NewTask::titled("x", by);
        new.task_type = kind.into();
        new.checked(now()).expect("fits").status().0
    };
    assert_eq!(made(Actor::Owner, ""), Status::Approved);
    assert_eq!(made(Actor::Owner, "escalation"), Status::PendingApproval);
    assert_eq!(made(Actor::Timmy, ""), Status::PendingApproval);
    for kind in ["chat_response", "thought", "internal"] {
        assert_eq!(made(Actor::Timmy, kind), Status::Approved, "{kind}");
    }
    assert_eq!(made(Actor::System, "bug_report"), Status::Approved);
    assert_eq!(made(Actor::Timmy, "bug_report"), Status::PendingApproval);
    let mut asked = NewTask::titled("x", Actor::Owner);
    asked.requires_approval = Some(true);
    assert_eq!(asked.status().0, Status::PendingApproval);
}

// shows: tasks: calling his own work urgent approves nothing, as it did in the first version
#[test]
fn urgent_work_of_timmy_is_neither_urgent_nor_approved() {
    let mut new = NewTask::titled("spend everything", Actor::Timmy);
    new.priority = Priority::Urgent;
    let new = new.checked(now()).expect("fits");
    assert_eq!((new.priority, new.status().0), (Priority::High, Status::PendingApproval));
}

#[test]
fn what_does_not_fit_is_refused_by_name() {
    let refused = |change: &dyn Fn(&mut NewTask), code: &str| {
        let mut new = NewTask::titled("fits", Actor::Owner);
        change(&mut new);
        assert_eq!(new.checked(now()).expect_err(code).code, code);
    };
    refused(&|new| new.title = " \u{202e}\n\t".into(), "empty_title");
    refused(&|new| new.title = "x".repeat(201), "title_too_long");
    refused(&|new| new.description = "x".repeat(20_001), "description_too_long");
    refused(&|new| new.task_type = "two words".into(), "bad_name");
    refused(&|new| new.assigned_to = "a".repeat(81), "bad_name");
    refused(&|new| new.idempotency_key = Some(String::new()), "bad_name");
    refused(&|new| new.due = Some(Timestamp::from_micros(i64::MAX)), "too_far_away");
    refused(&|new| new.needs = (0..21).map(|n| TaskId::new(n, &[2; 10])).collect(), "too_many_needs");
}

proptest! {
    #[test]
    fn no_acts_leave_a_task_that_is_neither_over_nor_anywhere(names in prop::collection::vec(0_usize..TABLE.len(), 1..40)) {
        let mut one = task(Status::Approved);
        for at in names {
            let (act, by) = act(TABLE[at].0);
            let over = matches!(one.status.known, Some(Status::Completed | Status::Vetoed));
            match one.step(act, &by, now()) {
                Ok(change) => {
                    prop_assert!(!over, "what is over stays over");
                    one = change.task;
                }
                Err(problem) => prop_assert!(!problem.hint.is_empty()),
            }
            prop_assert!(one.status.known.is_some() && one.steps.len() <= STEPS_MAX);
            prop_assert_eq!(one.lease.is_some(), one.status.known == Some(Status::Running));
            prop_assert!(one.attempts <= one.attempts_max + 1);
        }
    }
}
