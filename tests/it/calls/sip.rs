//! From the files to a telephone: a real server, a real worker, livekit-sip and
//! phones. `LKROUTE_TEST_LIVEKIT_SIP` names livekit-sip, and `tests/sip` runs
//! them in a network of their own; without both they are named as not run.

use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use super::world::{FROM, clean, files, routed};
use crate::livekit::real::{Livekit, Worker};
use crate::phone::{Manner, Phone};
use crate::support::{Lkroute, Run, Server, TENANT_INDIA, block_on, left_out, part, spawn_piped};

const TO: &str = "+919876543210";

/// Everything but the phones.
struct Telephony {
    livekit: Livekit,
    /// Lives as long as the test.
    _sip: Server,
    worker: Worker,
    address: String,
}

impl Telephony {
    fn start() -> Option<Telephony> {
        let parts =
            part("LKROUTE_TEST_LIVEKIT_SIP").zip(std::env::var("LKROUTE_TEST_SIP_ADDRESS").ok());
        let Some((program, address)) = parts else {
            left_out("livekit-sip");
            return None;
        };
        let livekit = Livekit::with_media(&address)?;
        Some(Telephony {
            _sip: livekit.sip(&program, &address),
            worker: Worker::staying(&livekit, "voag-dev")?,
            livekit,
            address,
        })
    }

    fn phone(&self, manner: Manner) -> Phone {
        Phone::start(&self.address, manner).expect("sipp is there")
    }

    /// A trunk to the carrier at this port, with these numbers.
    fn trunk(&self, port: u16, numbers: &[&str]) -> String {
        let numbers: Vec<String> = numbers.iter().map(|&number| number.to_owned()).collect();
        let address = format!("{}:{port}", self.address);
        block_on(self.livekit.trunk_to(&address, &numbers))
    }

    /// Files with one number that calls through this trunk, applied.
    fn lkroute(&self, trunk: &str, rules: &str) -> Lkroute {
        let text = files(&self.livekit.url, TENANT_INDIA, trunk);
        routed(&text.replace("{ outbound = true }", rules))
    }
}

const OUT: &str = "{ outbound = true }";

fn dial(lkroute: &Lkroute, ring: &str, code: i32) -> Value {
    let call = [
        "dispatch", "--from", FROM, "--to", TO, "--sip", "--ring", ring, "-j",
    ];
    clean(lkroute.run(&call)).expect_code(code).json()
}

#[test]
fn what_the_person_did_is_what_is_said() {
    let Some(telephony) = Telephony::start() else {
        return;
    };
    let cases = [
        (Manner::Answers, 0, "answered", json!(null)),
        (
            Manner::Refuses(486, "Busy Here"),
            1,
            "not_dialled",
            json!(486),
        ),
        (
            Manner::Refuses(603, "Decline"),
            1,
            "not_dialled",
            json!(603),
        ),
        (
            Manner::Refuses(480, "Temporarily Unavailable"),
            1,
            "not_dialled",
            json!(480),
        ),
        (
            Manner::Refuses(404, "Not Found"),
            1,
            "not_dialled",
            json!(404),
        ),
        (Manner::Rings, 1, "not_dialled", json!(null)),
    ];
    for (manner, code, outcome, status) in cases {
        let phone = telephony.phone(manner);
        let lkroute = telephony.lkroute(&telephony.trunk(phone.port, &[FROM]), OUT);
        let report = dial(&lkroute, "6s", code);
        assert_eq!(report["outcome"], outcome, "{manner:?}: {report}");
        assert_eq!(report["sip_status"], status, "{manner:?}: {report}");
        let shown = [(TO.to_owned(), FROM.to_owned())];
        assert_eq!(phone.calls(), shown, "{manner:?}");
        if outcome == "answered" {
            assert!(
                report["answered_after"].as_u64().unwrap() >= 300,
                "{report}"
            );
            let room = report["room"].as_str().unwrap();
            let look = ["dispatches", "--refresh", room, "-j"];
            let row = clean(lkroute.run(&look)).expect_code(0).json()["dispatches"][0].clone();
            assert_eq!(
                (&row["running"], &row["sip_call_status"]),
                (&json!(true), &json!("active"))
            );
            clean(lkroute.run(&["cancel", room, "-y"])).expect_code(0);
        } else {
            let message = report["error"]["message"].as_str().unwrap();
            assert_contains!(message, "was dialled and did not answer");
        }
    }
    // Nobody is at that address.
    let phone = telephony.phone(Manner::Rings);
    let trunk = telephony.trunk(phone.port, &[FROM]);
    drop(phone);
    let report = dial(&telephony.lkroute(&trunk, OUT), "4s", 1);
    assert_eq!(report["outcome"], "not_dialled", "{report}");
}

#[test]
fn another_customers_trunk_rings_no_phone() {
    let Some(telephony) = Telephony::start() else {
        return;
    };
    let phone = telephony.phone(Manner::Answers);
    let trunk = telephony.trunk(phone.port, &["+14155550100"]);
    let report = dial(&telephony.lkroute(&trunk, OUT), "4s", 9);
    assert_eq!(report["error"]["code"], "trunk-lacks-number");
    assert!(phone.calls().is_empty() && telephony.worker.jobs().is_empty());
}

#[test]
fn the_right_carrier_is_called_in_its_form() {
    let Some(telephony) = Telephony::start() else {
        return;
    };
    let (one, other) = (
        telephony.phone(Manner::Answers),
        telephony.phone(Manner::Answers),
    );
    let trunks = [&one, &other].map(|phone| telephony.trunk(phone.port, &[FROM]));
    let national = "{ outbound = true, required_lead_format = [\"0\", \"base_number\"] }";
    dial(&telephony.lkroute(&trunks[0], national), "6s", 0);
    assert_eq!(one.calls(), [("09876543210".to_owned(), FROM.to_owned())]);
    assert!(other.calls().is_empty());
    dial(&telephony.lkroute(&trunks[1], OUT), "6s", 0);
    assert_eq!(other.calls(), [(TO.to_owned(), FROM.to_owned())]);
    assert_eq!(one.calls().len(), 1);
}

/// The server is killed before the job, about when it is out, and while the
/// phone rings: the phone rings once at most, and no word about it is false.
#[test]
fn a_server_that_is_killed_rings_nobody_twice() {
    let Some(mut telephony) = Telephony::start() else {
        return;
    };
    for (kill, moment) in [50, 1500, 6000].into_iter().enumerate() {
        telephony.worker.registered(kill + 1);
        let phone = telephony.phone(Manner::Rings);
        let lkroute = telephony.lkroute(&telephony.trunk(phone.port, &[FROM]), OUT);
        let call = [
            "dispatch", "--from", FROM, "--to", TO, "--sip", "--ring", "8s", "-j",
        ];
        let mut command = lkroute.command(&call);
        let child = spawn_piped(&mut command);
        thread::sleep(Duration::from_millis(moment));
        telephony.livekit.kill();
        thread::sleep(Duration::from_millis(300));
        telephony.livekit.start_again();
        let run = clean(Run::of(child));
        let report = run.json();
        let rang = phone.calls().len();
        assert!(rang <= 1, "rang {rang} times: {report}");
        assert!(
            rang == 0 || run.code != 10,
            "\"no agent\", and it rang: {report}"
        );
        assert!(
            rang == 0 || !run.stderr.contains("nobody was dialled"),
            "it rang: {}",
            run.stderr
        );
    }
}
