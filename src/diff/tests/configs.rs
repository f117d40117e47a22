//! Configs: their names, and whose their rows are.

use super::*;

#[test]
fn configs_swap_names_by_id() {
    let case = Case::new()
        .config("one", Some(id(2)), "w2")
        .config("two", Some(id(1)), "w1")
        .live(id(1), "one", "w1")
        .live(id(2), "two", "w2")
        .ours(id(1))
        .ours(id(2));
    let plan = case.plan();
    assert_eq!(plan.changes.len(), 2);
    for change in &plan.changes {
        let fields = &plan.patch(change).fields;
        assert_eq!((change.action, fields.len()), (Action::Update, 1));
        assert_eq!((fields[0].field, fields[0].kind), (Field::Name, Kind::Set));
    }
}

#[test]
fn formerly_keeps_the_row_and_a_silent_rename_is_an_error() {
    let renamed = || {
        Case::new()
            .config("new", None, "w1")
            .live(id(1), "old", "w1")
            .ours(id(1))
    };
    let silent = renamed().plan();
    assert_eq!(silent.findings[0].code, "rename-without-formerly");
    assert!(silent.findings[0].is_error());
    let said = renamed().edit("new", |config| config.formerly = Some("old".into()));
    let plan = said.plan();
    assert_eq!(only(&plan).row, Some(id(1)));
    assert_eq!(kinds(&plan), [(Field::Name, Kind::Set)]);
}

#[test]
fn a_config_of_others_is_owned_whole_once_declared() {
    let case = Case::new()
        .config("one", None, "w1")
        .edit("one", |config| config.worker_name = None)
        .live(id(1), "one", "w1");
    let plan = case.plan();
    let conflict = plan
        .patch(only(&plan))
        .fields
        .iter()
        .find(|f| f.kind == Kind::Conflict);
    assert_eq!(conflict.unwrap().field, Field::WorkerName);
}

#[test]
fn a_name_that_another_row_holds_is_a_conflict() {
    let case = Case::new()
        .config("one", Some(id(9)), "w1")
        .live(id(1), "one", "w1");
    let plan = case.plan();
    assert!(plan.in_conflict(only(&plan)));
}
