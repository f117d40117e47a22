//! Records of calls: one per idempotency key, whoever comes first.

use lkroute::dispatch::{Detail, Record, Status, Traced};
use lkroute::error::Result;
use lkroute::store::{CallFilter, Mode, Store};
use uuid::Uuid;

use super::base::{Base, CONFIG_INDIA, TENANT_INDIA, e164, id, uuid};

super::on_both!(
    a_record_is_read_back_as_it_was_written,
    a_key_has_one_record_and_the_second_caller_gets_it,
    two_at_once_write_one_record,
    a_key_that_was_given_back_may_be_used_again,
    records_are_listed_by_number_and_config,
    a_record_that_is_gone_is_an_error,
    a_record_that_cannot_be_read_hides_no_other,
);

pub(super) fn call(n: u16, key: Option<&str>) -> Record {
    Record {
        id: id(n),
        at: format!("2026-01-01T00:00:{n:02}.000Z"),
        finished_at: None,
        status: Status::InQueue,
        idempotency_key: key.map(str::to_owned),
        from: e164("+919513456728"),
        to: "+390612345678".to_owned(),
        tenant: Some(uuid(TENANT_INDIA)),
        config_id: Some(uuid(CONFIG_INDIA)),
        config_name: Some("india".to_owned()),
        room: format!("call-{}-00000000", Uuid::nil().simple()),
        dispatch_id: None,
        worker: "voag-dev".to_owned(),
        worker_seen: None,
        actor: "o'hara \\ \"q\"".to_owned(),
        detail: Detail {
            to_input: "06 1234 5678".to_owned(),
            ..Detail::default()
        },
    }
}

fn all() -> CallFilter {
    CallFilter {
        last: 100,
        ..CallFilter::default()
    }
}

async fn listed(store: &mut Store) -> Vec<Record> {
    let found = store.calls(&all()).await.expect("records");
    assert!(found.unreadable.is_empty(), "{found:?}");
    found.records
}

/// Writes it; where its key has a record already, that one.
async fn write(store: &mut Store, call: &Record) -> Result<Option<Record>> {
    match (store.insert_call(call).await?, &call.idempotency_key) {
        (false, Some(key)) => store.call_of_key(key).await,
        _ => Ok(None),
    }
}

async fn complete(store: &mut Store, call: &Record) -> Result<bool> {
    store.complete_call(call).await
}

async fn recorder(base: &Base) -> Store {
    base.open(Mode::Record).await
}

async fn a_record_is_read_back_as_it_was_written(base: Base) {
    let mut store = recorder(&base).await;
    let mut record = call(1, Some("k'1"));
    assert_eq!(write(&mut store, &record).await.unwrap(), None);
    assert_eq!(listed(&mut store).await, [record.clone()]);

    record.status = Status::PickedUp;
    record.finished_at = Some("2026-01-01T00:00:59.250Z".to_owned());
    record.dispatch_id = Some("AD_madeUp".to_owned());
    record.worker_seen = Some("voag-dev-v2".to_owned());
    record.worker = "voag-backup".to_owned();
    record.detail.agent = Some(Traced {
        agent_name: "voag-dev-v2".to_owned(),
        ..Traced::default()
    });
    complete(&mut store, &record).await.unwrap();
    assert_eq!(store.call_of_key("k'1").await.unwrap(), Some(record));
    assert_eq!(store.call_of_key("other").await.unwrap(), None);

    let bare = Record {
        tenant: None,
        config_id: None,
        config_name: None,
        ..call(2, None)
    };
    write(&mut store, &bare).await.unwrap();
    assert_eq!(listed(&mut store).await[0], bare);
}

async fn a_key_has_one_record_and_the_second_caller_gets_it(base: Base) {
    let mut store = recorder(&base).await;
    let first = call(1, Some("k"));
    write(&mut store, &first).await.unwrap();
    let found = write(&mut store, &call(2, Some("k"))).await.unwrap();
    assert_eq!(found, Some(first));
    for n in 3..5 {
        assert_eq!(write(&mut store, &call(n, None)).await.unwrap(), None);
    }
    assert_eq!(listed(&mut store).await.len(), 3);
}

async fn two_at_once_write_one_record(base: Base) {
    let (mut one, mut other) = (recorder(&base).await, recorder(&base).await);
    for n in 0..10 {
        let key = format!("k{n}");
        let (a, b) = (call(2 * n, Some(&key)), call(2 * n + 1, Some(&key)));
        let (first, second) = tokio::join!(write(&mut one, &a), write(&mut other, &b));
        let found = [first.unwrap(), second.unwrap()];
        assert_eq!(found.iter().flatten().count(), 1, "{found:?}");
    }
    assert_eq!(listed(&mut one).await.len(), 10);
}

async fn a_key_that_was_given_back_may_be_used_again(base: Base) {
    let mut store = recorder(&base).await;
    let mut first = call(1, Some("k"));
    write(&mut store, &first).await.unwrap();
    first.idempotency_key = None;
    complete(&mut store, &first).await.unwrap();
    assert_eq!(write(&mut store, &call(2, Some("k"))).await.unwrap(), None);
    assert_eq!(listed(&mut store).await.len(), 2);
}

async fn records_are_listed_by_number_and_config(base: Base) {
    let mut store = recorder(&base).await;
    for n in 0..5 {
        let mut record = call(n, None);
        if n == 3 {
            record.from = e164("+971545335200");
            record.config_name = Some("uae".to_owned());
        }
        write(&mut store, &record).await.unwrap();
    }
    let mut listed = async |wanted: CallFilter| -> Vec<Uuid> {
        let found = store.calls(&wanted).await.unwrap().records;
        found.iter().map(|record| record.id).collect()
    };
    let latest = CallFilter { last: 2, ..all() };
    assert_eq!(listed(latest).await, [id(4), id(3)]);
    let number = |text: &str| CallFilter {
        number: Some(e164(text)),
        ..all()
    };
    assert_eq!(listed(number("+971545335200")).await, [id(3)]);
    assert_eq!(listed(number("+390612345678")).await.len(), 5);
    assert!(listed(number("+14155550100")).await.is_empty());
    let config = CallFilter {
        config: Some("uae".to_owned()),
        ..all()
    };
    assert_eq!(listed(config).await, [id(3)]);
}

async fn a_record_that_is_gone_is_an_error(base: Base) {
    let mut store = recorder(&base).await;
    let error = complete(&mut store, &call(1, None)).await.unwrap_err();
    assert_contains!(error.message, "is gone");
}

/// That of a later lkroute, whose status is not known here, and one that was
/// damaged.
async fn a_record_that_cannot_be_read_hides_no_other(base: Base) {
    let mut store = recorder(&base).await;
    for n in 1..4 {
        write(&mut store, &call(n, None)).await.unwrap();
    }
    let (later, damaged) = (id(1), id(2));
    base.sql(&format!(
        "UPDATE {{lkroute_dispatches}} SET status = 'on_hold' WHERE id = '{later}'"
    ))
    .await;
    base.sql(&format!(
        "UPDATE {{lkroute_dispatches}} SET detail = 'none' WHERE id = '{damaged}'"
    ))
    .await;
    let found = store.calls(&all()).await.unwrap();
    assert_eq!(found.records, [call(3, None)]);
    let ids = found.unreadable.iter().map(|of| of.record_id.clone());
    assert_eq!(
        ids.collect::<Vec<_>>(),
        [damaged.to_string(), later.to_string()]
    );
    assert!(
        found.unreadable[1]
            .why
            .contains("`on_hold` is not known here"),
        "{found:?}"
    );
}
