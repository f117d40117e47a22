//! Plans that are digested, saved and read again.

use super::*;

#[test]
fn the_digest_ignores_lines_and_generated_ids_but_no_value() {
    let case = |line: u32, worker: &str| {
        let mut case = Case::new()
            .config("one", None, worker)
            .binding("one", Fields::new(), &[]);
        case.routing.bindings[0].origin.line = line;
        case.plan()
    };
    let digest = crate::impact::digest::digest;
    assert_eq!(digest(&case(1, "w1")), digest(&case(99, "w1")));
    assert_ne!(digest(&case(1, "w1")), digest(&case(1, "w2")));
}

#[test]
fn a_saved_plan_reads_back() {
    use crate::impact::saved_plan::SavedPlan;
    let mut case = settled()
        .binding("one", Fields::new(), &[])
        .row(row(5, json!({"livekit_config": null})));
    case.snapshot.last_apply = Some(ApplyRecord {
        id: 3,
        ..ApplyRecord::default()
    });
    let plan = case.plan();
    let text = SavedPlan::new(plan.clone(), None).to_text().unwrap();
    let back = SavedPlan::read(&text).unwrap().plan;
    assert_eq!(
        crate::impact::digest::digest(&back),
        crate::impact::digest::digest(&plan)
    );
    assert_eq!(
        back.patch(&back.changes[0]).fields[0].before,
        Some(Value::Null)
    );
}

#[test]
fn an_approved_plan_is_read_back_and_told_from_another() {
    use crate::impact::saved_plan::{SavedPlan, SavedPlanError, difference};
    let plan = |worker: &str| Case::new().config("one", None, worker).plan();
    let saved = SavedPlan::new(plan("w1"), None);
    let text = saved.to_text().unwrap();
    let back = SavedPlan::read(&text).unwrap();
    assert!(difference(&back.plan, &plan("w1")).is_empty());
    let now = plan("w2");
    let moved = difference(&back.plan, &now);
    let [one] = moved.as_slice() else {
        panic!("{moved:?}");
    };
    let worker = |half: &Option<crate::impact::saved_plan::Half<'_>>| {
        let fields = &half.as_ref().unwrap().fields;
        let names: Vec<Field> = fields.iter().map(|field| field.field).collect();
        assert_eq!(names, [Field::Url, Field::WorkerName]);
        fields[1].after.clone()
    };
    assert_eq!(worker(&one.approved), Some("w1".into()));
    assert_eq!(worker(&one.now), Some("w2".into()));

    let read = |text: &str| SavedPlan::read(text).map(|_| ());
    assert_eq!(read("{}"), Err(SavedPlanError::Unreadable));
    assert_eq!(
        read(&text.replace("\"w1\"", "\"w3\"")),
        Err(SavedPlanError::Changed)
    );
    // Of another form: whoever wrote it is named, and no digest is spoken of.
    let older = text.replace("\"format_version\":2", "\"format_version\":1");
    let refused = read(&older).unwrap_err().to_string();
    let writer = format!(
        "lkroute {} wrote it, in format 1",
        env!("CARGO_PKG_VERSION")
    );
    assert!(refused.starts_with(&writer), "{refused}");
    // What it does not know is of that version, and not "no plan".
    let newer = text.replace("\"worker_name\"", "\"worker_of_tomorrow\"");
    let refused = read(&newer.replace(env!("CARGO_PKG_VERSION"), "9.1.0"));
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.starts_with("lkroute 9.1.0 wrote it, and this one, "),
        "{refused}"
    );
    let out = text.replace("\"patch\":0", "\"patch\":99");
    assert_eq!(read(&out), Err(SavedPlanError::Changed));
}
